"""Quality targets: when an image is good enough, measured while it is being coded."""

from dataclasses import dataclass

import torch
from torch import Tensor

from rnncodec.errors import ConfigError, DataError
from rnncodec.images import similarity
from rnncodec.images.pixels import to_uint8


@dataclass(frozen=True)
class Goal:
    """Stop at the first iteration whose 8-bit reconstruction reaches ``target``.

    A measure is a sum over tiles, so that it can be taken tile by tile: of the squared error for
    ``psnr`` (dB, over all channels: exactly that of the image), of MS-SSIM times area for
    ``ms_ssim`` (the mean over the tiles that are large enough for it).

    Attributes:
        metric: ``psnr`` or ``ms_ssim``.
        target: what to reach.
    """

    metric: str
    target: float

    def __post_init__(self) -> None:
        valid = 0 < self.target <= 1 if self.metric == "ms_ssim" else 0 < self.target < 100
        if not valid:
            expected = (
                "over 0 and at most 1" if self.metric == "ms_ssim" else "dB over 0, under 100"
            )
            raise ConfigError(f"{self.metric}={self.target}: expected {expected}")

    def measure(self, reference: Tensor, x_hat: Tensor) -> Tensor:
        """Uint8 (B, 3, H, W) and its reconstruction in [-0.5, 0.5] -> (B, 2): sum and weight."""
        decoded = to_uint8(x_hat)
        area = reference.shape[-2] * reference.shape[-1]
        if self.metric == "psnr":
            error = (reference.double() - decoded.double()).square().sum(dim=(1, 2, 3))
            return torch.stack([error, torch.full_like(error, 3.0 * area)], dim=1)
        if min(reference.shape[-2:]) < similarity.MIN_SIDE:
            return torch.zeros(len(reference), 2, dtype=torch.float64)
        x, y = (image.double().contiguous() for image in (reference, decoded))
        value = similarity.multi_scale(x, y)
        return torch.stack([value * area, torch.full_like(value, area)], dim=1)

    def reached(self, measured: Tensor) -> bool:
        """Whether each image of (B, T, 2) has reached the target at some iteration."""
        return bool((self.score(measured) >= self.target).any(dim=1).all())

    def score(self, measured: Tensor) -> Tensor:
        """Sums and weights (..., 2) -> the metric (...).

        Raises:
            DataError: MS-SSIM of an image that is too small for it.
        """
        total, weight = measured.double().unbind(dim=-1)
        if (weight == 0).any():
            raise DataError(
                f"ms_ssim={self.target}: MS-SSIM needs sides of at least {similarity.MIN_SIDE} "
                "pixels; use psnr= for smaller images"
            )
        mean = total / weight
        return 10 * torch.log10(255**2 / mean) if self.metric == "psnr" else mean


def first_reaching(scores: Tensor, target: float) -> tuple[int, bool]:
    """How many iterations are needed, from the scores (T,); up to the best if none does it.

    Examples:
        >>> first_reaching(torch.tensor([20.0, 25.0, 30.0]), 24.0)
        (2, True)
        >>> first_reaching(torch.tensor([20.0, 25.0, 24.0]), 40.0)
        (2, False)
    """
    reached = torch.nonzero(scores >= target)
    if len(reached):
        return int(reached[0]) + 1, True
    return int(scores.argmax()) + 1, False
