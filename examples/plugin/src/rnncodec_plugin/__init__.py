"""Parts for rnncodec from another package: what ``rnncodec --plugin rnncodec_plugin`` brings."""

from rnncodec_plugin.baselines import Zlib
from rnncodec_plugin.losses import Charbonnier, charbonnier
from rnncodec_plugin.metrics import gradient_psnr
from rnncodec_plugin.mingru import MinGRU

__all__ = ["Charbonnier", "MinGRU", "Zlib", "charbonnier", "gradient_psnr"]
