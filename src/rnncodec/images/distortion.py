r"""How far a picture is from the original, differentiable: what training and the search minimise.

Each part is a function of two pictures (B, 3, H, W) in [-0.5, 0.5] that gives a scalar, the mean
over the batch; 0 where nothing is lost. :func:`weighted_sum` puts parts together by their names in
``PARTS``. What is reported is :mod:`rnncodec.evaluation.metrics`.
"""

import functools
import math
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import torch
from torch import Tensor
from torch.nn import functional as F

from rnncodec import plugins
from rnncodec.errors import ConfigError

Part: TypeAlias = Callable[[Tensor, Tensor], Tensor]

WINDOW, STRIDE = 8, 4
"""SSIM to learn with looks at 8x8 pixels, half of which the next window sees too."""
C1, C2 = 0.01**2, 0.03**2
"""The constants of SSIM for pixels in a range of length 1."""
SCALES = 3
"""The last of three still has whole windows in crops of 32x32; five would need 128x128."""

DCT_SIDE = 8
"""Side in pixels of the blocks that the eye's sensitivity is defined for."""

JPEG_LUMA_STEPS = (
    (16, 11, 10, 16, 24, 40, 51, 61),
    (12, 12, 14, 19, 26, 58, 60, 55),
    (14, 13, 16, 24, 40, 57, 69, 56),
    (14, 17, 22, 29, 51, 87, 80, 62),
    (18, 22, 37, 56, 68, 109, 103, 77),
    (24, 35, 55, 64, 81, 104, 113, 92),
    (49, 64, 78, 87, 103, 121, 120, 101),
    (72, 92, 95, 98, 112, 100, 103, 99),
)
"""Quantisation steps of JPEG's luminance (ITU-T T.81, table K.1), one for each DCT coefficient."""

CSF_SCALE = 25.735088
"""The contrast sensitivity of PSNR-HVS is this, divided by JPEG's step (to 6 digits)."""

LUMA = (65.481 / 255, 128.553 / 255, 24.966 / 255)
CHROMA = (
    (-37.797 / 255, -74.203 / 255, 112.0 / 255),
    (112.0 / 255, -93.786 / 255, -18.214 / 255),
)
"""BT.601: Y' in 16..235, Cb and Cr in 16..240, as fractions of 255, from RGB in a range of 1."""


def l1(x: Tensor, y: Tensor) -> Tensor:
    r"""Mean absolute error :math:`\frac{1}{BCHW} \sum |x - y|`."""
    return (x - y).abs().mean()


def rmse(x: Tensor, y: Tensor) -> Tensor:
    """Root of the mean squared error of each image, which is what its PSNR sees; their mean."""
    return root(x - y)


def ms_ssim(x: Tensor, y: Tensor) -> Tensor:
    """One less MS-SSIM on three scales, equally weighted, of 8x8 windows; sides from 32 pixels."""
    score = x.new_ones(x.shape[0])
    for scale in range(SCALES):
        if scale > 0:
            x, y = F.avg_pool2d(x, 2), F.avg_pool2d(y, 2)
        ssim, cs = local_similarity(x, y)
        # the mean over an image, as in the metric; where it is negative, its power has no gradient
        factor = (ssim if scale == SCALES - 1 else cs).mean(dim=(1, 2, 3)).clamp(min=1e-3)
        score = score * factor ** (1 / SCALES)
    return 1 - score.mean()


def ssim_weighted(x: Tensor, y: Tensor) -> Tensor:
    r"""L1 where the eye would notice (Johnston et al. 2018, section 3.3).

    .. math:: \frac{1}{BCHW} \sum \frac{1 - \mathrm{ssim}}{\mathrm{mean}(1 - \mathrm{ssim})}
        |x - y|

    SSIM is that of the 8x8 neighbourhood; no gradient flows through the weight. Dividing by the
    weights' mean keeps the loss at the scale of L1, and with it the learning rate. Sides are
    multiples of 4, and at least 8 pixels.
    """
    ssim, _ = local_similarity(x, y.detach())
    # Interpolation takes its points for the centres of 4x4 pixels, which the 8x8 windows
    # exceed by 2 on either side: there the outermost weights go on.
    inner = F.interpolate(1 - ssim, scale_factor=STRIDE, mode="bilinear")
    weight = F.pad(inner, [(WINDOW - STRIDE) // 2] * 4, mode="replicate")
    return (weight * (x - y).abs()).mean() / weight.mean().clamp(min=1e-6)


def hvs(x: Tensor, y: Tensor) -> Tensor:
    r"""The error that PSNR-HVS sees (Egiazarian et al. 2006): mean over the batch of its root.

    .. math:: \sqrt{\operatorname{mean}_{8 \times 8} (\mathrm{DCT}(Y - Y') \cdot \mathrm{CSF})^2}

    ``Y`` is BT.601 luma in 16..235, as a fraction of 255, not rounded: then
    :math:`-20 \log_{10}` of it is the metric. Sides of at least 8 pixels; what is more than a
    multiple of 8, on the right and at the bottom, does not count, as in the metric.
    """
    error = combine(x - y, (LUMA,))[:, 0]
    h, w = (side // DCT_SIDE for side in error.shape[-2:])
    blocks = error[:, : h * DCT_SIDE, : w * DCT_SIDE].reshape(-1, h, DCT_SIDE, w, DCT_SIDE)
    blocks = blocks.transpose(2, 3).reshape(len(error), h * w, DCT_SIDE**2)
    return root(blocks @ weighted_basis().to(error))


def chroma(x: Tensor, y: Tensor) -> Tensor:
    """Root of the mean squared error of BT.601 Cb and Cr of each image; their mean.

    What ``hvs`` does not see.
    """
    return root(combine(x - y, CHROMA))


PARTS: dict[str, Part] = {
    part.__name__: part for part in (l1, rmse, ms_ssim, ssim_weighted, hvs, chroma)
}
"""All parts by the name that a configuration uses."""

SMALLEST = {"ms_ssim": WINDOW << (SCALES - 1), "ssim_weighted": WINDOW, "hvs": DCT_SIDE}
"""The shorter side, in pixels, from which on a part is defined; for the others 1."""

MS_SSIM = {"ms_ssim": 0.84, "l1": 1 - 0.84}
PSNR_HVS = {"hvs": 1.0, "chroma": 1.0}
SEARCH_LOSSES: dict[str, tuple[dict[str, float], ...]] = {
    "ms_ssim": (MS_SSIM,),
    "psnr_hvs": (PSNR_HVS,),
    "psnr": ({"rmse": 1.0},),
    "balanced": (MS_SSIM, PSNR_HVS),
}
"""The weighted sums that a search for bits lowers, by the metric that it is for; of several their
geometric mean, in which a percent of each counts the same. ``l1`` and ``chroma`` hold the colours,
which the metrics themselves hardly see, or do not."""


def trained_for(notes: Mapping[str, Any]) -> str:
    """What a model's own loss weighs, a key of ``SEARCH_LOSSES``, from the notes in its file.

    Examples:
        >>> loss = {"_target_": "rnncodec.training.losses.Mixed", "weights": {"hvs": 1.0}}
        >>> trained_for({"settings": {"loss": loss}}), trained_for({})
        ('psnr_hvs', 'ms_ssim')
    """
    settings = notes.get("settings")
    loss = settings.get("loss") if isinstance(settings, dict) else None
    if not isinstance(loss, dict):
        return "ms_ssim"  # earlier files do not say; those of the packaged models mean this
    weights = loss.get("weights")
    named = {"L1": {"l1"}, "SSIMWeighted": {"ssim_weighted"}, "L1MSSSIM": {"ms_ssim"}}
    if isinstance(weights, dict):
        parts = {name for name, weight in weights.items() if weight}
    else:
        home, _, name = str(loss.get("_target_")).rpartition(".")
        parts = named.get(name if home.startswith("rnncodec.") else "", {"ms_ssim"})
    similarity = bool(parts & {"ms_ssim", "ssim_weighted"})
    if "hvs" in parts:
        return "balanced" if similarity else "psnr_hvs"
    return "ms_ssim" if similarity else "psnr"


def weighted_sum(x: Tensor, y: Tensor, weights: Mapping[str, float]) -> Tensor:
    """The sum of the parts, each times its weight; scalar.

    x, y: (B, 3, H, W) in [-0.5, 0.5]; ``weights`` from :func:`check_weights`. Where a picture is
    too small for a part, ``l1`` takes its place.
    """
    side = min(x.shape[-2:])
    with torch.autocast(x.device.type, enabled=False):
        parts = [
            weight * (part(name) if side >= SMALLEST.get(name, 1) else l1)(x, y.to(x.dtype))
            for name, weight in weights.items()
            if weight
        ]
        return torch.stack(parts).sum()


def part(name: str) -> Part:
    """The part of this name, ours or a plug-in.

    Raises:
        ConfigError: there is none, or two.
    """
    return PARTS[name] if name in PARTS else outside_part(name)


@functools.cache
def outside_part(name: str) -> Part:
    """The plug-in of this name; a ConfigError that lists all valid names if there is none."""
    found: Part | None = plugins.find("losses", name, is_part)
    if found is None:
        valid = ", ".join([*PARTS, *plugins.names("losses", is_part)])
        raise ConfigError(f"loss part {name!r}: expected one of {valid}")
    return found


def is_part(value: Any) -> bool:
    """Whether it may be a part of a loss: a function."""
    return callable(value) and not isinstance(value, type)


def check_weights(weights: Mapping[str, float]) -> dict[str, float]:
    """The weights as plain numbers.

    Raises:
        ConfigError: an unknown part, a weight that is negative or no number, or none above 0.
    """
    for name, weight in weights.items():
        part(name)
        if isinstance(weight, bool) or not isinstance(weight, int | float) or not weight >= 0:
            raise ConfigError(f"weight of loss part {name}: expected 0 or more, got {weight!r}")
    if not any(weights.values()) or not all(map(math.isfinite, weights.values())):
        raise ConfigError(
            f"weights of loss parts: expected finite numbers, one above 0, got {dict(weights)}"
        )
    return {str(name): float(weight) for name, weight in weights.items()}


def local_similarity(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """SSIM and its contrast-structure factor in windows of 8x8, four pixels apart.

    x, y (B, C, H, W) in a range of length 1, sides of at least 8 -> two maps (B, C, h, w).
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


def root(error: Tensor) -> Tensor:
    """Mean over the batch of the root mean square of each image: (B, ...) -> scalar."""
    squares = error.square().flatten(1).mean(dim=1)
    return (squares + 1e-20).sqrt().mean()  # at 0 the gradient of a root is infinite


def combine(error: Tensor, rows: tuple[tuple[float, ...], ...]) -> Tensor:
    """Linear combinations of the channels: (B, 3, H, W) -> (B, len(rows), H, W)."""
    return torch.einsum("kc,bchw->bkhw", error.new_tensor(rows), error)


@functools.cache
def weighted_basis() -> Tensor:
    """The 64 basis pictures of the DCT, each times its sensitivity: (64 pixels, 64), float64."""
    k, n = torch.meshgrid(*2 * [torch.arange(DCT_SIDE, dtype=torch.float64)], indexing="ij")
    dct = torch.cos((2 * n + 1) * k * math.pi / (2 * DCT_SIDE)) * math.sqrt(2 / DCT_SIDE)
    dct[0] *= math.sqrt(0.5)
    sensitivity = CSF_SCALE / torch.tensor(JPEG_LUMA_STEPS, dtype=torch.float64)
    basis = torch.einsum("uv,uy,vx->yxuv", sensitivity, dct, dct)
    return basis.reshape(DCT_SIDE**2, DCT_SIDE**2)
