"""Quality targets: when an image is good enough, measured while it is being coded."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from rnncodec.errors import ConfigError, DataError
from rnncodec.images import similarity
from rnncodec.validation import is_number


@dataclass(frozen=True)
class QualityTarget:
    """Stop at the first iteration whose 8-bit reconstruction reaches ``target``.

    What counts is the whole picture, however it is cut into tiles.

    Attributes:
        metric: ``psnr`` or ``ms_ssim``.
        target: what to reach.
    """

    metric: str
    target: float

    def __post_init__(self) -> None:
        most = 1 if self.metric == "ms_ssim" else math.nextafter(100, 0)
        if not is_number(self.target) or not 0 < self.target <= most:
            expected = (
                "over 0 and at most 1" if self.metric == "ms_ssim" else "dB over 0, under 100"
            )
            raise ConfigError(f"{self.metric}={self.target}: expected {expected}")

    def check_size(self, height: int, width: int) -> None:
        """Refuse, before any work, an image that cannot be measured.

        Raises:
            DataError: MS-SSIM of an image that is too small for it.
        """
        if self.metric == "ms_ssim" and min(height, width) < similarity.MIN_SIDE:
            raise DataError(
                f"ms_ssim={self.target}: MS-SSIM needs sides of at least {similarity.MIN_SIDE} "
                "pixels; use psnr= for smaller images"
            )

    def score(self, reference: Tensor, decoded: Tensor) -> Tensor:
        """The metric of uint8 images (B, 3, H, W) and their reconstructions, float64 (B,)."""
        if self.metric == "ms_ssim":
            return similarity.multi_scale_by_channel(reference, decoded)
        error = (reference.int() - decoded.int()).square().sum(dim=(1, 2, 3))
        return 10 * torch.log10(255**2 / (error.double() / reference[0].numel()))

    def reached(self, scores: Tensor) -> bool:
        """Whether each image of (B, T) has reached the target at some iteration."""
        return bool((scores >= self.target).any(dim=1).all())


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
