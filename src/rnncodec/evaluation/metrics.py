"""Image quality metrics on 8-bit pixels, one value per image (section 4; conventions are ours).

Every metric is a pure function ``(reference, test) -> value``: two uint8 tensors (B, 3, H, W) of
**rounded** 8-bit RGB pixels in, a float64 tensor (B,) out; DataError where a side is smaller than
its ``min_side``. Averages over images are taken last, by the caller. The decibel metrics are
infinite for pictures without error: any cap would rank a perfect picture below a nearly perfect
one.
"""

import contextlib
import functools
import importlib
import io
import math
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from rnncodec import plugins
from rnncodec.errors import ConfigError, DataError
from rnncodec.images import similarity

Function: TypeAlias = Callable[[Tensor, Tensor], Tensor]
Values = TypeVar("Values", float, NDArray[np.float64])

PEAK = 255.0
TILE = 8
"""Side of the DCT tiles of PSNR-HVS."""


def psnr_rgb(reference: Tensor, test: Tensor) -> Tensor:
    r"""Peak signal-to-noise ratio over all channels, in dB: :math:`10 \log_{10} (255^2 / MSE)`."""
    check_pair("psnr_rgb", reference, test)
    error = (reference.double() - test.double()).square().mean(dim=(1, 2, 3))
    return 10 * torch.log10(PEAK**2 / error)


def ssim(reference: Tensor, test: Tensor) -> Tensor:
    """Structural similarity on RGB, in [-1, 1]: the mean of the map over the whole image."""
    check_pair("ssim", reference, test)
    compared = similarity.similarity(reference.double(), test.double())
    return compared[0].mean(dim=(1, 2, 3))


def ms_ssim(reference: Tensor, test: Tensor) -> Tensor:
    """Multi-scale structural similarity on RGB, in [0, 1]; for sides of at least 176."""
    check_pair("ms_ssim", reference, test)
    return similarity.multi_scale(reference.double(), test.double())


def luma(image: Tensor) -> Tensor:
    """BT.601 luma of uint8 RGB (B, 3, H, W), as rounded 8-bit codes in 16..235, float64 (B, H, W).

    The codes keep their head- and footroom, as in the metric's reference implementation; on
    full-range luma the same pictures would score about 1.3 dB lower.
    """
    r, g, b = image.double().unbind(dim=1)
    return torch.round(16 + (65.481 * r + 128.553 * g + 24.966 * b) / PEAK)


@functools.cache
def hvs_backend() -> Any:
    """The compiled backend of psnr-hvsm; on anything but whole tiles it ends the process."""
    with contextlib.redirect_stdout(io.StringIO()):  # the package prints when it is imported
        return importlib.import_module("psnr_hvsm._psnr_hvsm")


def hvs_errors(reference: Tensor, test: Tensor) -> Tensor:
    """Weighted mean squared errors of luma fractions, without and with masking, float64 (B, 2)."""
    height, width = (side - side % TILE for side in reference.shape[-2:])
    pairs = zip(
        (luma(reference)[:, :height, :width] / PEAK).cpu().numpy(),
        (luma(test)[:, :height, :width] / PEAK).cpu().numpy(),
        strict=True,
    )
    errors = [hvs_backend().hvs_hvsm_mse(a, b) for a, b in pairs]
    return torch.tensor(errors, dtype=torch.float64)


def psnr_hvs(reference: Tensor, test: Tensor) -> Tensor:
    r"""PSNR weighted by the eye's contrast sensitivity (Egiazarian et al. 2006), in dB.

    .. math:: -10 \log_{10} \operatorname{mean}_{8 \times 8}
        ((\mathrm{DCT}(Y) - \mathrm{DCT}(Y')) \cdot \mathrm{CSF})^2

    ``Y`` is :func:`luma` as a fraction of 255; sides are cropped to multiples of 8.
    """
    check_pair("psnr_hvs", reference, test)
    return -10 * torch.log10(hvs_errors(reference, test)[:, 0])


def psnr_hvs_m(reference: Tensor, test: Tensor) -> Tensor:
    """:func:`psnr_hvs` that forgives what texture masks (Ponomarenko et al. 2007), in dB."""
    check_pair("psnr_hvs_m", reference, test)
    return -10 * torch.log10(hvs_errors(reference, test)[:, 1])


@dataclass(frozen=True)
class Metric:
    """A metric, and how tables, plots, pages and dashboards write it.

    Attributes:
        title: its name, without unit.
        function: ``(reference, test) -> values``; None for what is computed from averages.
        unit: of its values; may be "".
        digits: after the point.
        min_side: the shorter side, in pixels, from which on it is defined.
        near_one: whether it crowds just below 1, where an axis in decibels helps.
        levels: the qualities at which rates are compared.
        tabled: whether the tables and the plots for print show it; results.json has all.
    """

    title: str
    function: Function | None = None
    unit: str = ""
    digits: int = 4
    min_side: int = 1
    near_one: bool = False
    levels: tuple[float, ...] = ()
    tabled: bool = True

    def __call__(self, reference: Tensor, test: Tensor) -> Tensor:
        """Its values, float64 (B,)."""
        assert self.function is not None, self.title
        return self.function(reference, test)

    @property
    def heading(self) -> str:
        """The title, with the unit in brackets."""
        return f"{self.title} ({self.unit})" if self.unit else self.title


METRICS: dict[str, Metric] = {
    "psnr_rgb": Metric("PSNR RGB", psnr_rgb, "dB", 2, tabled=False),
    "ssim": Metric("SSIM", ssim, min_side=similarity.WINDOW, near_one=True, tabled=False),
    "ms_ssim": Metric(
        "MS-SSIM",
        ms_ssim,
        min_side=similarity.MIN_SIDE,
        near_one=True,
        levels=(0.95, 0.97, 0.98, 0.99),
    ),
    "psnr_hvs": Metric("PSNR-HVS", psnr_hvs, "dB", 2, TILE, levels=(28.0, 32.0, 36.0)),
    "psnr_hvs_m": Metric("PSNR-HVS-M", psnr_hvs_m, "dB", 2, TILE, tabled=False),
}
"""All metrics by name, in the order of their columns. An entry here is all that a metric needs to
be measured and shown."""

DECIBEL = "ms_ssim_db"
"""MS-SSIM in dB: :func:`decibels` of the average over images (not the average of dB)."""


def described(name: str) -> Metric:
    """How to write a metric; one that is not registered goes by its name.

    Examples:
        >>> described("psnr_hvs").heading, described(DECIBEL).heading
        ('PSNR-HVS (dB)', 'MS-SSIM (dB)')
    """
    if name == DECIBEL:
        return Metric("MS-SSIM", unit="dB", digits=2)
    return METRICS.get(name) or outside_metric(name) or Metric(name)


def tabled(present: Collection[str] = METRICS) -> list[str]:
    """The metrics of tables, in their order: the usual ones, and of the others those present."""
    own = [name for name, m in METRICS.items() if m.tabled and (name in USUAL or name in present)]
    others = [
        name
        for name in present
        if name not in METRICS and (m := outside_metric(name)) and m.tabled
    ]
    return own + others


def with_decibel_of(metrics: Sequence[str]) -> list[str]:
    """The metrics, with MS-SSIM in dB after MS-SSIM."""
    pairs = ((name, DECIBEL) if name == "ms_ssim" else (name,) for name in metrics)
    return [name for pair in pairs for name in pair]


USUAL = ("psnr_rgb", "ssim", "ms_ssim", "psnr_hvs", "psnr_hvs_m")
"""The metrics that results.csv always has a column for."""


def decibels(similarity: Values) -> Values:
    r"""A similarity, which crowds below 1, spread out: :math:`-10 \log_{10} (1 - x)`.

    Examples:
        >>> decibels(np.array([0.9, 0.99, 1.0]))
        array([10., 20., inf])
    """
    with np.errstate(divide="ignore"):
        return -10 * np.log10(1 - similarity)  # type: ignore[no-any-return]


def defined(metric: str, height: int, width: int) -> bool:
    """Whether ``metric`` exists for images of this size."""
    return min(height, width) >= METRICS[metric].min_side


def all_metrics(reference: Tensor, test: Tensor) -> dict[str, float]:
    """Those of ``METRICS`` that are defined for one image's size, of two uint8 (1, 3, H, W).

    What several of them need is computed once. DataError: other types, or two sizes.
    """
    check_pair("psnr_rgb", reference, test)
    height, width = reference.shape[-2:]
    found: dict[str, float] = {}
    if defined("ms_ssim", height, width):
        pair = reference.double().contiguous(), test.double().contiguous()  # several times faster
        both = similarity.both_scales(*pair)
        found["ssim"], found["ms_ssim"] = (value.item() for value in both)
    if defined("psnr_hvs", height, width):
        errors = hvs_errors(reference, test)[0]
        found["psnr_hvs"], found["psnr_hvs_m"] = (-10 * torch.log10(errors)).tolist()
    return {
        name: found[name] if name in found else metric(reference, test).item()
        for name, metric in METRICS.items()
        if defined(name, height, width)
    }


def visual_information_fidelity(reference: Tensor, test: Tensor) -> Tensor:
    """Visual information fidelity (Sheikh, Bovik 2006) of torchmetrics, float64 (B,)."""
    function = importlib.import_module("torchmetrics.functional.image").visual_information_fidelity
    pairs = zip(test.float().split(1), reference.float().split(1), strict=True)
    return torch.stack([function(*pair) for pair in pairs]).double()


EXTRA_METRICS = {visual_information_fidelity.__name__: visual_information_fidelity}
"""What `--metric` offers beside plug-ins: slow, and by packages that are not always installed."""


def outside_metric(name: str) -> Metric | None:
    """The plug-in of this name: a :class:`Metric`, or a function or class that becomes one."""
    found = plugins.find("metrics", name, callable)
    if found is None or isinstance(found, Metric):
        return found
    with plugins.refusing(f"metric {name}"):
        return Metric(name, found() if isinstance(found, type) else found)


def check_names(names: Sequence[str]) -> None:
    """Refuse what is no extra metric: a ConfigError that lists the valid ones.

    And a plug-in that has the name of a metric of ours.
    """
    for name in names:
        outside = outside_metric(name)
        if outside is not None:
            plugins.require_new("metrics", name, [*METRICS, *EXTRA_METRICS, DECIBEL])
        elif name not in EXTRA_METRICS:
            valid = [
                *EXTRA_METRICS,
                *plugins.names("metrics", lambda value: isinstance(value, Metric)),
            ]
            raise ConfigError(
                f"--metric {name}: no such metric; choose among {', '.join(valid)} (the "
                "usual ones are always measured)"
            )


def extra_metric(name: str, reference: Tensor, test: Tensor) -> float:
    """An extra metric of two uint8 pictures (1, 3, H, W); DataError if not finite."""
    outside = None if name in EXTRA_METRICS else outside_metric(name)
    function = EXTRA_METRICS[name] if outside is None else outside
    if outside is not None and min(reference.shape[-2:]) < outside.min_side:
        raise DataError(f"{name} needs sides of at least {outside.min_side} pixels")
    try:
        with contextlib.nullcontext() if outside is None else plugins.refusing("plug-in"):
            value = function(reference, test).item()
    except (ValueError, RuntimeError, ConfigError) as error:
        raise DataError(f"{name}: {error}") from error
    if not math.isfinite(value):
        raise DataError(f"{name} is {value} for this picture; it is left out")
    return value


def check_pair(metric: str, reference: Tensor, test: Tensor) -> None:
    """Raise DataError unless both are uint8 (B, 3, H, W), of one shape and large enough."""
    for image in (reference, test):
        if image.dtype != torch.uint8 or image.ndim != 4 or image.shape[1] != 3:
            raise DataError(
                f"{metric}: expected rounded 8-bit pixels, uint8 (B, 3, H, W), got "
                f"{image.dtype} {tuple(image.shape)}"
            )
    if reference.shape != test.shape:
        raise DataError(
            f"{metric}: the reference is {tuple(reference.shape)}, the test image "
            f"{tuple(test.shape)}; they must have one size"
        )
    if not defined(metric, *reference.shape[-2:]):
        raise DataError(
            f"{metric} needs sides of at least {METRICS[metric].min_side} pixels, got "
            f"{reference.shape[-1]}x{reference.shape[-2]}; leave the value absent"
        )
