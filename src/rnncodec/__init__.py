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

from typing import TYPE_CHECKING, Any

from rnncodec.bitstream import truncate
from rnncodec.errors import (
    BitstreamError,
    ConfigError,
    DataError,
    ModelError,
    RNNCodecError,
    RNNCodecWarning,
    StorageError,
    TargetWarning,
)
from rnncodec.version import __version__

if TYPE_CHECKING:
    from rnncodec.codec import Codec, load

__all__ = [
    "BitstreamError",
    "Codec",
    "ConfigError",
    "DataError",
    "ModelError",
    "RNNCodecError",
    "RNNCodecWarning",
    "StorageError",
    "TargetWarning",
    "__version__",
    "load",
    "truncate",
]


def __getattr__(name: str) -> Any:
    """``Codec`` and ``load`` on first use: importing the package alone loads no torch."""
    if name in ("Codec", "load"):
        from rnncodec import codec

        return getattr(codec, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
