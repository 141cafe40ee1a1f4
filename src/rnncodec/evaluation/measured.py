"""Every codec's points image by image, so that they can be averaged over any of the images."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Protocol, TypeAlias

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


class Averages(Protocol):
    """What turns points into curves: rows of weights over images."""

    def __call__(self, images: int) -> Array:
        """-> (R, images), each row with the sum 1."""


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
    """

    codec: str
    metric: str
    rates: str
    images: tuple[str, ...]
    settings: tuple[str, ...]
    iterations: tuple[int, ...] | None
    bpp: Array
    value: Array

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


def measure(results: Sequence[Result], metric: str) -> list[Measured]:
    """The points of every codec that has some, in the table's order, over the same images.

    The images are those for which every such codec has the metric. A setting that one of them
    lacks is left out, since its average would be over other images; so is one where an image is
    perfect, and its decibels (and the average) infinite.

    Raises:
        DataError: two rows for the same codec, setting and image; a rate that is not positive.
    """
    tables: dict[str, list[Result]] = {}
    for result in results:
        if result.bpp is not None and quality(result, metric) is not None:
            tables.setdefault(result.codec, []).append(result)
    if not tables:
        return []
    common = set.intersection(*({row.image for row in rows} for rows in tables.values()))
    images = tuple(sorted(common))
    return [tabulate(codec, metric, rows, images) for codec, rows in tables.items()]


def tabulate(codec: str, metric: str, rows: Sequence[Result], images: tuple[str, ...]) -> Measured:
    """The rows of one codec as arrays over ``images``; see :func:`measure`."""
    cells: dict[tuple[int | None, str], dict[str, Result]] = {}
    for row in rows:
        point = cells.setdefault((row.iteration, row.setting), {})
        if row.image in point:
            raise DataError(f"results: two rows for {codec}, {row.setting}, {row.image}")
        if not row.bpp or not 0 < row.bpp < np.inf:
            raise DataError(f"results: {codec}, {row.setting}, {row.image}: bpp={row.bpp}")
        point[row.image] = row
    perfect = 1.0 if metric == DECIBEL else np.inf
    points = []
    for (iteration, setting), point in cells.items():
        if images and all(image in point for image in images):
            bpp = [float(point[image].bpp or 0) for image in images]
            value = [float(quality(point[image], metric) or 0) for image in images]
            if all(-np.inf < x < perfect for x in value):
                points.append((sum(bpp), iteration, setting, bpp, value))
    points.sort(key=lambda point: point[0])
    shape = (len(points), len(images))
    iterations = tuple(p[1] for p in points if p[1] is not None)
    return Measured(
        codec,
        metric,
        FILES,
        images,
        tuple(p[2] for p in points),
        iterations if points and len(iterations) == len(points) else None,
        np.array([p[3] for p in points], float).reshape(shape),
        np.array([p[4] for p in points], float).reshape(shape),
    )


def nominal(measured: Measured) -> Measured:
    """One of our models at k/8 bpp: without entropy coding, as the authors' own curve."""
    assert measured.iterations is not None, measured.codec
    rates = np.array(measured.iterations, float)[:, None] / 8
    return replace(measured, rates=NOMINAL, bpp=np.broadcast_to(rates, measured.bpp.shape).copy())
