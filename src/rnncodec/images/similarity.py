r"""Structural similarity in float64 (Wang et al. 2004; Wang, Simoncelli & Bovik 2003).

The numbers are those of torchmetrics (0.01, 0.03; 11x11 Gaussian window of sigma 1.5; borders
mirrored; five scales). Its float32 is off by 1e-4 where an image is bright and flat, since
:math:`E[x^2] - E[x]^2` cancels there, and its float64 takes minutes per image on a CPU; with the
Gaussian separated into rows and columns, float64 costs what its float32 does.
"""

from collections.abc import Iterator

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
    ssim, cs = torch.empty_like(x), torch.empty_like(x)
    padded = [F.pad(image, 4 * (RADIUS,), mode="reflect") for image in (x, y)]
    for plane, rows in strips(x):
        ssim[plane][..., rows, :], cs[plane][..., rows, :] = strip_similarity(
            *(image[plane][..., rows.start : rows.stop + 2 * RADIUS, :] for image in padded)
        )
    return ssim, cs


def strips(x: Tensor) -> Iterator[tuple[tuple[slice, slice], slice]]:
    """Images, channels and rows of the parts that are worked on one after the other."""
    (batch, channels, height), on_cpu = x.shape[:3], x.device.type == "cpu"
    if not on_cpu:
        yield (slice(batch), slice(channels)), slice(0, height)
        return
    for b in range(batch):
        for c in range(channels):
            for top in range(0, height, STRIP):
                yield (slice(b, b + 1), slice(c, c + 1)), slice(top, min(top + STRIP, height))


def strip_similarity(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """The two maps of :func:`similarity` where a window around the pixel lies inside."""
    mean_x, mean_y, squares, product = blur(torch.stack([x, y, x * x + y * y, x * y]))
    means, means_squared = mean_x * mean_y, mean_x.square() + mean_y.square()
    cs = (2 * (product - means) + C2) / (squares - means_squared + C2)
    return (2 * means + C1) / (means_squared + C1) * cs, cs


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
    """:func:`multi_scale` of uint8 images (B, C, H, W), in a third of the memory: (B,).

    A factor is the mean of those of the channels, one of which is looked at at a time.
    """
    channels = [
        scale_factors(x[:, c, None].double(), y[:, c, None].double())[1] for c in range(x.shape[1])
    ]
    return weighted(torch.stack(channels).mean(dim=0))


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
