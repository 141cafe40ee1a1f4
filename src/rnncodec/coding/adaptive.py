"""Where an image needs no more bits: spatially adaptive bit rates (Johnston et al. 2018, 4.2)."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from rnncodec.errors import ConfigError
from rnncodec.geometry import BLOCK

DEFAULTS = {"ssim": 0.01, "mse": 1e-4}
"""Thresholds by measure, where nothing else decides."""
FLAT = 0.003
"""Keeps the error of flat blocks finite. On held-out photographs this saved more at equal MS-SSIM
than 0.0009 (the constant of SSIM), 0.01, or the standard deviation in place of the variance."""


@dataclass(frozen=True)
class StopRule:
    """A block stops where further iterations would lower its error too little.

    The error of a block of 16x16 pixels in [-0.5, 0.5] is its mean squared error (``mse``), or
    that over its variance (``ssim``): what a small error takes away from the block's structural
    similarity. A block stops after the first iteration from which on no number of further ones
    would lower the error by more than the threshold for each, that is for every 32 bits.

    Attributes:
        measure: ``ssim`` or ``mse``.
        threshold: positive; the larger, the fewer bits. None: not chosen yet.

    Raises:
        ConfigError: another measure, or a threshold that is not positive.
    """

    measure: str
    threshold: float | None = None

    def __post_init__(self) -> None:
        if self.measure not in DEFAULTS:
            raise ConfigError(f"adaptive={self.measure}: expected one of {', '.join(DEFAULTS)}")
        if self.threshold is not None and not 0 < self.threshold < float("inf"):
            raise ConfigError(
                f"adaptive={self.measure}={self.threshold:g}: expected a positive threshold"
            )

    @classmethod
    def parse(cls, text: str) -> "StopRule":
        """Read ``ssim`` or ``mse``, or with a threshold, ``ssim=0.02``.

        Raises:
            ConfigError: it is neither.

        Examples:
            >>> StopRule.parse("ssim"), StopRule.parse("mse=3e-4")
            (StopRule(measure='ssim', threshold=None), StopRule(measure='mse', threshold=0.0003))
        """
        expected = "a measure, or one with a number as ssim=0.02"
        if not isinstance(text, str):
            raise ConfigError(f"adaptive={text!r}: expected text: {expected}")
        measure, equals, number = text.partition("=")
        try:
            return cls(measure, float(number) if equals else None)
        except ValueError as error:
            raise ConfigError(f"adaptive={text}: expected {expected}") from error

    def errors(self, x: Tensor, x_hat: Tensor) -> Tensor:
        """The error of each block of x_hat, both (B, 3, 16 h, 16 w): (B, h, w)."""
        b, c, height, width = x.shape
        blocks = (b, c, height // BLOCK, BLOCK, width // BLOCK, BLOCK)
        error = (x - x_hat.clamp(-0.5, 0.5)).square().view(blocks).mean((1, 3, 5))
        if self.measure == "ssim":
            error = error / (x.view(blocks).var((3, 5)).mean(1) + FLAT)
        return error


def ends(errors: NDArray[np.float32], threshold: float) -> NDArray[np.int64]:
    """How many iterations each block is active in, 1..T: errors (B, T, h, w) -> (B, h, w).

    Examples:
        >>> ends(np.array([1.0, 0.95, 0.5, 0.45]).reshape(1, 4, 1, 1), 0.1).item()
        3
    """
    iterations = errors.shape[1]
    last = np.full((errors.shape[0], *errors.shape[2:]), iterations)
    for t in reversed(range(iterations - 1)):
        steps = np.arange(1, iterations - t).reshape(1, -1, 1, 1)
        slope = ((errors[:, t, None] - errors[:, t + 1 :]) / steps).max(axis=1)
        last[slope <= threshold] = t + 1
    return last
