r"""Structural similarity in float64 (Wang et al. 2004; Wang, Simoncelli & Bovik 2003).

The numbers are those of torchmetrics (0.01, 0.03; 11x11 Gaussian window of sigma 1.5; borders
mirrored; five scales). Its float32 is off by 1e-4 where an image is bright and flat, since
:math:`E[x^2] - E[x]^2` cancels there, and its float64 takes minutes per image on a CPU; with the
Gaussian separated into rows and columns, float64 costs what its float32 does.
"""

from itertools import product

import torch
from torch import Tensor
from torch.nn import functional as F

C1, C2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
RADIUS, SIGMA = 5, 1.5
WINDOW = 2 * RADIUS + 1
MIN_SIDE = 176
"""MS-SSIM halves an image four times, rounding down, and needs a window of 11 after that.

Wang's own code draws the line there too; "over 160" is the same rule without the rounding.
"""
WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
"""The exponent of each scale, finest first."""


STRIP = 64
"""Rows that are blurred at a time on a CPU: they stay in its cache, which is four times faster."""


def similarity(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    r"""SSIM and its contrast-structure factor around every pixel.

    .. math::
        \mathrm{cs} = \frac{2 \sigma_{xy} + C_2}{\sigma_x^2 + \sigma_y^2 + C_2} \qquad
        \mathrm{ssim} = \frac{2 \mu_x \mu_y + C_1}{\mu_x^2 + \mu_y^2 + C_1} \, \mathrm{cs}

    Args:
        x: float64 (B, C, H, W) in [0, 255], sides of at least 11.
        y: the same.

    Returns:
        Two maps (B, C, H, W).
    """
    batch, channels, height, _ = x.shape
    on_cpu = x.device.type == "cpu"  # then a strip of one channel at a time
    sizes = (1, 1, STRIP) if on_cpu else (batch, channels, height)
    starts = (range(0, length, size) for length, size in zip(x.shape, sizes, strict=False))
    padded = [F.pad(image, 4 * (RADIUS,), mode="reflect") for image in (x, y)]
    ssim, cs = torch.empty_like(x), torch.empty_like(x)
    for b, c, top in product(*starts):
        images, planes = slice(b, b + sizes[0]), slice(c, c + sizes[1])
        bottom = min(top + sizes[2], height)
        p, q = (image[images, planes, top : bottom + 2 * RADIUS] for image in padded)
        mean_p, mean_q, squares, products = blur(torch.stack([p, q, p * p + q * q, p * q]))
        means, means_squared = mean_p * mean_q, mean_p.square() + mean_q.square()
        structure = (2 * (products - means) + C2) / (squares - means_squared + C2)
        cs[images, planes, top:bottom] = structure
        ssim[images, planes, top:bottom] = (2 * means + C1) / (means_squared + C1) * structure
    return ssim, cs


def multi_scale(x: Tensor, y: Tensor) -> Tensor:
    r"""Multi-scale SSIM, one value per image.

    .. math:: \mathrm{ssim}_5^{w_5} \prod_{s=1}^{4} \mathrm{cs}_s^{w_s}

    Each factor is a mean over channels and pixels, ``cs`` over those whose window lies inside
    the image; a negative one counts as zero. Between scales, means of 2x2 pixels.

    Args:
        x: float64 (B, C, H, W) in [0, 255], sides of at least 176.
        y: the same.

    Returns:
        (B,), in [0, 1].
    """
    return both_scales(x, y)[1]


def both_scales(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """SSIM (the mean of its map) and :func:`multi_scale`, whose finest scale has the same maps."""
    ssim, factors = scale_factors(x, y)
    return ssim, weighted(factors)


def multi_scale_by_channel(x: Tensor, y: Tensor) -> Tensor:
    """:func:`multi_scale` of uint8 images (B, C, H, W), a channel at a time: (B,).

    It takes a third of the memory; a factor is the mean of those of the channels.
    """
    pairs = zip(x.split(1, dim=1), y.split(1, dim=1), strict=True)
    factors = [scale_factors(a.double(), b.double())[1] for a, b in pairs]
    return weighted(torch.stack(factors).mean(dim=0))


def scale_factors(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """SSIM (B,), and the factors of :func:`multi_scale`, finest first, unweighted: (B, 5)."""
    ssims, factors = [], []
    for scale in range(len(WEIGHTS)):
        if scale:
            x, y = F.avg_pool2d(x, 2), F.avg_pool2d(y, 2)
        ssim, cs = similarity(x, y)
        ssims.append(ssim.mean(dim=(1, 2, 3)))
        factors.append(cs[..., RADIUS:-RADIUS, RADIUS:-RADIUS].mean(dim=(1, 2, 3)))
    return ssims[0], torch.stack([*factors[:-1], ssims[-1]], dim=1)


def weighted(factors: Tensor) -> Tensor:
    """The product (B,) of the factors (B, 5), not below zero, each to the power of its weight."""
    weights = torch.tensor(WEIGHTS, dtype=torch.float64)
    return (factors.clamp(min=0) ** weights).prod(dim=1)


def blur(x: Tensor) -> Tensor:
    """Gaussian means of (..., H + 10, W + 10) -> (..., H, W), by shifting and adding."""
    positions = torch.arange(-RADIUS, RADIUS + 1, dtype=torch.float64)
    taps = torch.exp(-positions.square() / (2 * SIGMA**2))
    for dim in (-2, -1):
        length = x.shape[dim] - 2 * RADIUS
        total = torch.zeros_like(x.narrow(dim, 0, length))
        for k, tap in enumerate((taps / taps.sum()).tolist()):
            total.add_(x.narrow(dim, k, length), alpha=tap)
        x = total
    return x
