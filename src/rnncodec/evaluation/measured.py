"""Every codec's points image by image, so that they can be averaged over any of the images."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from rnncodec.errors import DataError
from rnncodec.evaluation.metrics import METRICS
from rnncodec.evaluation.results import Result

Array: TypeAlias = NDArray[np.float64]

DECIBEL = "ms_ssim_db"
"""MS-SSIM in dB, ``-10 log10(1 - x)`` of the average over images (not the average of dB)."""

FILES, NOMINAL = "file bytes", "nominal"
"""What rates are: those of the files, or k/8 bpp after iteration k, without entropy coding."""


@dataclass(frozen=True)
class Measured:
    """The points of one codec under one metric: P settings by N images.

    Attributes:
        codec: its name.
        metric: a name of a Result's metrics, or :data:`DECIBEL`.
        rates: :data:`FILES` or :data:`NOMINAL`.
        images: N names, sorted.
        settings: P of them, by rising average rate.
        iterations: of one of our models, P of them; None for another codec.
        bpp, value: (P, N); of :data:`DECIBEL`, value is the plain MS-SSIM.
        left_out: further settings, which an image lacks or where one is perfect.
    """

    codec: str
    metric: str
    rates: str
    images: tuple[str, ...]
    settings: tuple[str, ...]
    iterations: tuple[int, ...] | None
    bpp: Array
    value: Array
    left_out: tuple[str, ...] = ()

    def curves(self, weights: Array) -> tuple[Array, Array]:
        """(R, N) weights over images -> (R, P) rates and (R, P) qualities, by rising rate."""
        bpp, value = weights @ self.bpp.T, weights @ self.value.T
        if self.metric == DECIBEL:
            value = -10 * np.log10(1 - value)
        order = np.lexsort((value, bpp), axis=-1)
        return np.take_along_axis(bpp, order, -1), np.take_along_axis(value, order, -1)

    def samples(self) -> list[tuple[float, float]]:
        """The curve through the averages over all images."""
        count = len(self.images)
        (bpp,), (value,) = self.curves(np.full((1, count), 1 / count))
        return list(zip(bpp.tolist(), value.tolist(), strict=True))


@dataclass(frozen=True)
class Failure:
    """Points that a codec has not, or not with all metrics, for an image.

    Attributes:
        codec, image: whose and of what.
        rows: how many rows of the table.
        reason: why; "no reason given" where the table is silent.
    """

    codec: str
    image: str
    rows: int
    reason: str


def metrics_of(results: Iterable[Result]) -> list[str]:
    """The metrics that any row has: ours, MS-SSIM in dB, then further ones by name."""
    further: set[str] = set()
    present: set[str] = set()
    for result in results:
        further |= {name for name, value in result.more.items() if value is not None}
        present |= {name for name in METRICS if getattr(result, name) is not None}
    names = [name for name in METRICS if name in present]
    if "ms_ssim" in names:
        names.insert(names.index("ms_ssim") + 1, DECIBEL)
    return names + sorted(further - {*METRICS, DECIBEL})


def quality(result: Result, metric: str) -> float | None:
    """A row's value of a metric; that of :data:`DECIBEL` is the plain MS-SSIM."""
    name = "ms_ssim" if metric == DECIBEL else metric
    value: float | None = getattr(result, name) if name in METRICS else result.more.get(name)
    return value


def failures(results: Iterable[Result]) -> list[Failure]:
    """The rows with a reason, and those without any quality, by codec, image and reason."""
    bad = [
        (r.codec, r.image, r.reason or "no reason given")
        for r in results
        if r.reason or all(quality(r, metric) is None for metric in (*METRICS, *r.more))
    ]
    return [
        Failure(codec, image, len(list(rows)), reason)
        for (codec, image, reason), rows in groupby(sorted(bad))
    ]


class Point(NamedTuple):
    """One image after one iteration or at one setting: what it cost, and how good it was."""

    iteration: int | None
    setting: str
    image: str
    bpp: float
    value: float


def measure(results: Sequence[Result], metric: str) -> list[Measured]:
    """The points of every codec that has some, in the table's order, over the same images.

    The images are those for which every such codec has the metric. A setting that one of them
    lacks is left out, since its average would be over other images; so is one where an image is
    perfect, and its decibels (and the average) infinite.

    Raises:
        DataError: two rows for the same codec, setting and image; a rate that is not positive; a
            quality that is no number.
    """
    tables: dict[str, list[Point]] = {}
    for row in results:
        value = quality(row, metric)
        if row.bpp is None or value is None:
            continue
        if not 0 < row.bpp < np.inf or not value > -np.inf:
            raise DataError(
                f"results: {row.codec}, {row.setting}, {row.image}: expected a positive rate and "
                f"a quality, got bpp={row.bpp}, {metric}={value}"
            )
        point = Point(row.iteration, row.setting, row.image, row.bpp, value)
        tables.setdefault(row.codec, []).append(point)
    if not tables:
        return []
    common = set.intersection(*({point.image for point in table} for table in tables.values()))
    images = tuple(sorted(common))
    return [tabulate(codec, metric, table, images) for codec, table in tables.items()]


def tabulate(
    codec: str, metric: str, points: Sequence[Point], images: tuple[str, ...]
) -> Measured:
    """The points of one codec as arrays over ``images``; see :func:`measure`."""
    cells: dict[tuple[int | None, str], dict[str, Point]] = {}
    for point in points:
        row = cells.setdefault((point.iteration, point.setting), {})
        if point.image in row:
            raise DataError(f"results: two rows for {codec}, {point.setting}, {point.image}")
        row[point.image] = point
    perfect = 1.0 if metric == DECIBEL else np.inf
    full = [
        [row[image] for image in images]
        for row in cells.values()
        if images and all(image in row and row[image].value < perfect for image in images)
    ]
    kept = {row[0].setting for row in full}
    full.sort(key=lambda row: sum(point.bpp for point in row))
    shape = (len(full), len(images))
    iterations = tuple(row[0].iteration for row in full if row[0].iteration is not None)
    return Measured(
        codec,
        metric,
        rates=FILES,
        images=images,
        settings=tuple(row[0].setting for row in full),
        iterations=iterations if full and len(iterations) == len(full) else None,
        bpp=np.array([[point.bpp for point in row] for row in full]).reshape(shape),
        value=np.array([[point.value for point in row] for row in full]).reshape(shape),
        left_out=tuple(setting for _, setting in cells if images and setting not in kept),
    )


def nominal(measured: Measured) -> Measured:
    """One of our models at k/8 bpp: without entropy coding, as the authors' own curve."""
    assert measured.iterations is not None, measured.codec
    rates = np.array(measured.iterations, float)[:, None] / 8
    return replace(measured, rates=NOMINAL, bpp=np.broadcast_to(rates, measured.bpp.shape).copy())
