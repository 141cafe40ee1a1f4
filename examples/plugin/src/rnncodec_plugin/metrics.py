"""A metric: the PSNR of differences between neighbouring pixels, which sees blurred edges."""

import torch
from torch import Tensor

from rnncodec.evaluation.metrics import Metric


def gradient(reference: Tensor, test: Tensor) -> Tensor:
    """Two batches uint8 (B, 3, H, W) -> float64 (B,), in dB."""
    error = (reference.double() - test.double()).diff(dim=-1).square().mean(dim=(1, 2, 3))
    return 10 * torch.log10(255**2 / error)


gradient_psnr = Metric("Gradient PSNR", gradient, unit="dB", digits=2, min_side=2)
