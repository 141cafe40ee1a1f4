"""Losses on one iteration's reconstruction (section 3, equation 4; Johnston 2018; Zhao 2017)."""

from torch import Tensor, nn
from torch.nn import functional as F

from rnncodec.images.windowed_similarity import (
    SMALLEST,
    STRIDE,
    WINDOW,
    l1_ms_ssim,
    local_similarity,
)


class L1(nn.Module):
    r"""Mean absolute residual :math:`\frac{1}{BCHW} \sum |x - \hat x_t|`.

    The mean over the iterations, which the training step takes, makes it the paper's
    :math:`\beta \sum_t |r_t|`.
    """

    def forward(self, x: Tensor, x_hat: Tensor) -> Tensor:
        """Images and reconstruction, both (B, 3, H, W) in [-0.5, 0.5] -> scalar."""
        return (x - x_hat).abs().mean()


class SSIMWeighted(nn.Module):
    r"""L1 where the eye would notice (Johnston et al. 2018, section 3.3).

    .. math:: \frac{1}{BCHW} \sum \frac{1 - \mathrm{ssim}}{\mathrm{mean}(1 - \mathrm{ssim})}
        |x - \hat x_t|

    SSIM is that of the 8x8 neighbourhood; no gradient flows through the weight. Dividing by the
    weights' mean keeps the loss at the scale of L1, and with it the learning rate.
    """

    def forward(self, x: Tensor, x_hat: Tensor) -> Tensor:
        """Both (B, 3, H, W) in [-0.5, 0.5], sides multiples of 4, at least 8 -> scalar."""
        ssim, _ = local_similarity(x, x_hat.detach())
        # Interpolation takes its points for the centres of 4x4 pixels, which the 8x8 windows
        # exceed by 2 on either side: there the outermost weights go on.
        inner = F.interpolate(1 - ssim, scale_factor=STRIDE, mode="bilinear")
        weight = F.pad(inner, [(WINDOW - STRIDE) // 2] * 4, mode="replicate")
        return (weight * (x - x_hat).abs()).mean() / weight.mean().clamp(min=1e-6)


class L1MSSSIM(nn.Module):
    """Multi-scale SSIM with some L1: :func:`rnncodec.images.windowed_similarity.l1_ms_ssim`.

    Args:
        alpha: share of MS-SSIM, 0.84 in Zhao et al. 2017.
    """

    least_side = SMALLEST
    """Of the crops it can compare, in pixels."""

    def __init__(self, alpha: float = 0.84) -> None:
        super().__init__()
        self.alpha = alpha

    def forward(self, x: Tensor, x_hat: Tensor) -> Tensor:
        """Images and reconstruction, both (B, 3, H, W) in [-0.5, 0.5], sides >= 32 -> scalar."""
        return l1_ms_ssim(x, x_hat, self.alpha)
