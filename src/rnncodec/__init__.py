"""Recurrent, progressive image compression (Toderici et al., CVPR 2017).

Shape letters used throughout:

=== ==========================================================
B   images in a batch
T   iterations; each adds 32 bits per 16x16 block (1/8 bpp)
C   channels
H   height in pixels (of the feature map at hand)
W   width in pixels (of the feature map at hand)
=== ==========================================================
"""

from rnncodec.bitstream import truncate
from rnncodec.errors import (
    BitstreamError,
    ConfigError,
    DataError,
    ModelError,
    RNNCodecError,
    StorageError,
)
from rnncodec.version import __version__

__all__ = [
    "BitstreamError",
    "ConfigError",
    "DataError",
    "ModelError",
    "RNNCodecError",
    "StorageError",
    "__version__",
    "truncate",
]
