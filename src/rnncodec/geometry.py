"""Sizes: padding to whole blocks, cropping back, and what an iteration costs in bits."""

from torch import Tensor
from torch.nn import functional as F

BLOCK = 16
"""Pixels per code position, in each direction (section 3: four strides of 2)."""


def blocks(pixels: int) -> int:
    """How many 16-pixel blocks cover a side.

    Examples:
        >>> blocks(768), blocks(1), blocks(17)
        (48, 1, 2)
    """
    return -(-pixels // BLOCK)


def pad_to(x: Tensor, multiple: int) -> Tensor:
    """Pad (B, C, H, W) on the right and bottom by edge replication to multiples of ``multiple``.

    Crop back with ``x[..., :H, :W]``.

    Examples:
        >>> import torch
        >>> pad_to(torch.zeros(1, 3, 17, 32), 16).shape
        torch.Size([1, 3, 32, 32])
    """
    bottom, right = -x.shape[-2] % multiple, -x.shape[-1] % multiple
    return F.pad(x, (0, right, 0, bottom), mode="replicate") if bottom or right else x
