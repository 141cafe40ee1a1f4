"""Structural similarity to learn with: windows of 8x8 pixels, differentiable, in any precision.

The measure that is reported is :mod:`rnncodec.images.similarity`.
"""

from torch import Tensor
from torch.nn import functional as F

WINDOW, STRIDE = 8, 4
"""It looks at 8x8 pixels, half of which the next window sees too."""

C1, C2 = 0.01**2, 0.03**2
"""The constants of SSIM for pixels in a range of length 1."""

SCALES = 3
"""The last of three still has whole windows in crops of 32x32; five would need 128x128."""
SMALLEST = WINDOW << (SCALES - 1)
"""Side in pixels below which three scales are not defined."""


def l1_ms_ssim(x: Tensor, y: Tensor, alpha: float = 0.84) -> Tensor:
    r"""Multi-scale SSIM with some L1 (Zhao et al. 2017, equation 15, with windows of 8x8).

    .. math:: \alpha\,(1 - \textrm{MS-SSIM}_3(x, y)) + (1 - \alpha)\,\textrm{L1}(x, y)

    SSIM cannot see a constant error where an image is bright; the L1 part holds the colours.

    Args:
        x: (B, C, H, W) in a range of length 1, sides of at least 32.
        y: the same.
        alpha: share of MS-SSIM, 0.84 in Zhao et al.

    Returns:
        The mean over the batch, scalar.
    """
    return alpha * (1 - three_scales(x, y)) + (1 - alpha) * (x - y).abs().mean()


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
