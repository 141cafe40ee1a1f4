"""Losses on one iteration's reconstruction (section 3, equation 4; Johnston 2018; Zhao 2017)."""

from torch import Tensor, nn
from torch.nn import functional as F

WINDOW, STRIDE = 8, 4
"""SSIM in training looks at 8x8 pixels, half of which the next window sees too."""

C1, C2 = 0.01**2, 0.03**2
"""The constants of SSIM for pixels in a range of length 1."""

SCALES = 3
"""The last of three still has whole windows in crops of 32x32; five would need 128x128."""


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
    r"""Multi-scale SSIM with some L1 (Zhao et al. 2017, equation 15, with windows of 8x8).

    .. math:: \alpha\,(1 - \textrm{MS-SSIM}_3(x, \hat x_t))
        + (1 - \alpha)\,\textrm{L1}(x, \hat x_t)

    SSIM cannot see a constant error where an image is bright; the L1 part holds the colours.

    Args:
        alpha: share of MS-SSIM, 0.84 in Zhao et al.
    """

    def __init__(self, alpha: float = 0.84) -> None:
        super().__init__()
        self.alpha = alpha

    def forward(self, x: Tensor, x_hat: Tensor) -> Tensor:
        """Images and reconstruction, both (B, 3, H, W) in [-0.5, 0.5], sides >= 32 -> scalar."""
        l1 = (x - x_hat).abs().mean()
        return self.alpha * (1 - three_scales(x, x_hat)) + (1 - self.alpha) * l1


def local_similarity(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """SSIM and its contrast-structure factor in windows of 8x8, four pixels apart.

    Args:
        x: (B, C, H, W) in a range of length 1, sides of at least 8.
        y: the same.

    Returns:
        Two maps (B, C, h, w).
    """
    mean_x, mean_y, squares, product = (
        F.avg_pool2d(part, WINDOW, STRIDE) for part in (x, y, x * x + y * y, x * y)
    )
    # the means of the pictures as they are seen, in [0, 1]; variances do not mind the shift
    means, means_squared = mean_x * mean_y, mean_x.square() + mean_y.square()
    cs = (2 * (product - means) + C2) / (squares - means_squared + C2)
    bright_x, bright_y = mean_x + 0.5, mean_y + 0.5
    luminance = (2 * bright_x * bright_y + C1) / (bright_x.square() + bright_y.square() + C1)
    return luminance * cs, cs


def three_scales(x: Tensor, y: Tensor) -> Tensor:
    """Mean over a batch of MS-SSIM on three scales, equally weighted; scalar.

    Each factor is the mean over one image, as in the metric; where it is negative its gradient
    would be undefined, so it is held at a small positive number.
    """
    score = x.new_ones(x.shape[0])
    for scale in range(SCALES):
        if scale > 0:
            x, y = F.avg_pool2d(x, 2), F.avg_pool2d(y, 2)
        ssim, cs = local_similarity(x, y)
        factor = ssim if scale == SCALES - 1 else cs
        score = score * factor.mean(dim=(1, 2, 3)).clamp(min=1e-3) ** (1 / SCALES)
    return score.mean()
