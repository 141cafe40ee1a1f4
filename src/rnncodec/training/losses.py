"""Losses on one iteration's reconstruction (section 3, equation 4; Johnston 2018; Zhao 2017).

Each is a weighted sum of the parts in :mod:`rnncodec.images.distortion`. To it the rate of the
codes can be added.
"""

from collections.abc import Mapping

from torch import Tensor, nn

from rnncodec.entropy import EntropyModel
from rnncodec.entropy.rate import slopes, spent
from rnncodec.errors import ConfigError
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


class Rate(nn.Module):
    """What the codes cost, in terms of the loss: the paper trains without, its files gain by it.

    An entropy model learns from the same batches; its gradient tells the codec which bits are
    dear (straight through the signs, as the search for bits does).

    Args:
        entropy: the entropy model, which is not the one that codes files later.
        weight: of the rate, in what the curve of loss over bits says they are worth on average
            (:func:`rnncodec.entropy.rate.slopes`). A bit that brings less than this share of the
            average becomes predictable.

    Raises:
        ConfigError: a weight that is not positive.
    """

    def __init__(self, entropy: EntropyModel, weight: float = 0.25) -> None:
        super().__init__()
        if not 0 < weight < float("inf"):
            raise ConfigError(f"rate.weight={weight}: expected a positive number")
        self.entropy = entropy
        self.weight = weight

    def forward(self, codes: Tensor, distortions: Tensor) -> tuple[Tensor, Tensor]:
        """Price the codes of a batch.

        Args:
            codes: (B, T, 32, h, w) of -1 and +1.
            distortions: of a grey picture and of that after each iteration, (T + 1,).

        Returns:
            What to add to the logarithm of each iteration's loss, and the bits until then as a
            share of a raw iteration's; (T,) each.
        """
        bits = spent(self.entropy, codes)
        worth = slopes(distortions, bits.detach()).detach()
        return self.weight * worth * bits, bits.detach()
