"""Losses on one iteration's reconstruction (section 3, equation 4; Johnston 2018; Zhao 2017).

Each is a weighted sum of the parts in :mod:`rnncodec.images.distortion`.
"""

from collections.abc import Mapping

from torch import Tensor, nn

from rnncodec.images.distortion import SMALLEST, check_weights, weighted_sum


class Mixed(nn.Module):
    """A weighted sum of parts, as ``{"hvs": 1, "ms_ssim": 0.5, "chroma": 1}``.

    Args:
        weights: of the parts, by their names in :data:`rnncodec.images.distortion.PARTS`; those
            with weight 0 are not computed.

    Raises:
        ConfigError: an unknown part, or a weight that is none.
    """

    def __init__(self, weights: Mapping[str, float]) -> None:
        super().__init__()
        self.weights = check_weights(weights)

    def forward(self, x: Tensor, x_hat: Tensor) -> Tensor:
        """Images and reconstruction, both (B, 3, H, W) in [-0.5, 0.5] -> scalar."""
        return weighted_sum(x, x_hat, self.weights)


class L1(Mixed):
    r"""Mean absolute residual :math:`\frac{1}{BCHW} \sum |x - \hat x_t|`.

    The mean over the iterations, which the training step takes, makes it the paper's
    :math:`\beta \sum_t |r_t|`.
    """

    def __init__(self) -> None:
        super().__init__({"l1": 1.0})


class SSIMWeighted(Mixed):
    """L1 where the eye would notice: :func:`rnncodec.images.distortion.ssim_weighted`."""

    def __init__(self) -> None:
        super().__init__({"ssim_weighted": 1.0})


class L1MSSSIM(Mixed):
    r"""Multi-scale SSIM with some L1 (Zhao et al. 2017, equation 15, with windows of 8x8).

    .. math:: \alpha\,(1 - \textrm{MS-SSIM}_3(x, y)) + (1 - \alpha)\,\textrm{L1}(x, y)

    SSIM cannot see a constant error where an image is bright; the L1 part holds the colours.

    Args:
        alpha: share of MS-SSIM, 0.84 in Zhao et al. 2017.
    """

    least_side = SMALLEST["ms_ssim"]
    """Of the crops it can compare, in pixels."""

    def __init__(self, alpha: float = 0.84) -> None:
        super().__init__({"ms_ssim": alpha, "l1": 1 - alpha})
        self.alpha = alpha
