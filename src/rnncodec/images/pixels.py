"""Pixels: 8-bit integers outside, floats in [-0.5, 0.5] inside, padded to whole blocks."""

import torch
from torch import Tensor
from torch.nn import functional as F

from rnncodec.errors import ModelError


def from_uint8(image: Tensor) -> Tensor:
    """Uint8 (B, 3, H, W) -> float32 in [-0.5, 0.5], channels last.

    Examples:
        >>> from_uint8(torch.tensor([0, 255], dtype=torch.uint8).view(1, 1, 1, 2)).flatten()
        tensor([-0.5000,  0.5000])
    """
    x = image.to(torch.float32) / 255 - 0.5
    return x.contiguous(memory_format=torch.channels_last)


def to_uint8(x_hat: Tensor) -> Tensor:
    """Float (B, 3, H, W), nominally in [-0.5, 0.5] -> uint8, rounded (never truncated), clipped.

    Raises:
        ModelError: a value is not finite; NaN would become 0 and look like black.

    Examples:
        >>> to_uint8(torch.tensor([-0.7, 0.0, 0.4999, 0.9]))
        tensor([  0, 128, 255, 255], dtype=torch.uint8)
    """
    require_finite(x_hat)
    return ((x_hat.float() + 0.5) * 255).round().clamp(0, 255).to(torch.uint8)


def require_finite(x_hat: Tensor) -> None:
    """Refuse what a network makes where its weights are too large, or are none.

    Raises:
        ModelError: a value is not finite.
    """
    if not x_hat.isfinite().all():
        raise ModelError(
            "the network's output is not finite (NaN or infinite): this model cannot code this "
            "image; use another model"
        )


def pad_to(x: Tensor, multiple: int) -> Tensor:
    """Pad (B, C, H, W) on the right and bottom by edge replication to multiples of ``multiple``.

    Crop back with ``x[..., :H, :W]``.

    Examples:
        >>> pad_to(torch.zeros(1, 3, 17, 32), 16).shape
        torch.Size([1, 3, 32, 32])
    """
    bottom, right = -x.shape[-2] % multiple, -x.shape[-1] % multiple
    return F.pad(x, (0, right, 0, bottom), mode="replicate") if bottom or right else x
