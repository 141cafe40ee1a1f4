"""Every codec's points image by image, so that they can be averaged over any of the images."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from rnncodec.errors import DataError
from rnncodec.evaluation.metrics import DECIBEL, METRICS, decibels
from rnncodec.evaluation.results import Result

Array: TypeAlias = NDArray[np.float64]
Indices: TypeAlias = NDArray[np.intp]

FILES, NOMINAL = "file bytes", "nominal"
"""What rates are: those of the files, or k/8 bpp after iteration k, without entropy coding."""


@dataclass(frozen=True)
class RDPoints:
    """The points of one codec under one metric: P settings by N images.

    Of a codec that is asked for a setting, these are its best: a point that another of its
    settings beats on the same image, with no more bytes a quality at least as good, is left out,
    and that other one stands in its place. Who uses the codec would take it, and the averages
    stay over all images. Points after the iterations of a model are as they are: they are one
    file, whose course is what is measured.

    Attributes:
        codec: its name.
        metric: a name of a Result's metrics, or :data:`DECIBEL`.
        rates: :data:`FILES` or :data:`NOMINAL`.
        images: N names, sorted.
        settings: P of them, by rising average rate.
        iterations: of one of our models, P of them; None for another codec.
        bpp, value: (P, N); of :data:`DECIBEL`, value is the plain MS-SSIM.
        left_out: further settings, which an image lacks or where one is perfect.
        beaten: setting -> on how many of the images another one beats it, where on any.
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
    beaten: Mapping[str, int] = field(default_factory=dict)

    def curves(self, weights: Array) -> tuple[Array, Array]:
        """(R, N) weights over images -> (R, P) rates and (R, P) qualities, by rising rate.

        Averages that others beat are left out as images' points are: those stand in their place.
        """
        bpp, value, _ = self._curves(weights)
        return bpp, value

    def samples(self) -> list[tuple[float, float]]:
        """The curve through the averages over all images."""
        return [(bpp, value) for bpp, value, _ in self.labelled()]

    def labelled(self) -> list[tuple[float, float, str]]:
        """:meth:`samples`, each with its setting; those that are left out are not among them."""
        count = len(self.images)
        (bpp,), (value,), (places,) = self._curves(np.full((1, count), 1 / count))
        points = zip(bpp.tolist(), value.tolist(), places.tolist(), strict=True)
        chosen = {place: (x, y, self.settings[place]) for x, y, place in points}
        return list(chosen.values())

    def _curves(self, weights: Array) -> tuple[Array, Array, Indices]:
        """Rates and qualities as :meth:`curves` has them, and which of the P each is of."""
        bpp, value = weights @ self.bpp.T, weights @ self.value.T
        if self.metric == DECIBEL:
            value = decibels(value)
        places = np.broadcast_to(np.arange(bpp.shape[1]), bpp.shape)
        if self.iterations is None:
            places = best_within(bpp, value)
            bpp, value = (np.take_along_axis(each, places, -1) for each in (bpp, value))
        order = np.lexsort((value, bpp), axis=-1)
        bpp, value = (np.take_along_axis(each, order, -1) for each in (bpp, value))
        return bpp, value, np.take_along_axis(places, order, -1)


def best_within(bpp: Array, value: Array) -> Indices:
    """For each of P points of R curves, (R, P), the best of those that take no more bytes.

    The lower left envelope, that is: a point that none beats is its own best. Of points that are
    as good, it is the cheapest.

    Examples:
        >>> best_within(np.array([[0.1, 0.4, 0.3, 0.5]]), np.array([[20.0, 25.0, 26.0, 29.0]]))
        array([[0, 2, 2, 3]])
    """
    order = np.lexsort((-value, bpp), axis=-1)
    rising = np.take_along_axis(value, order, -1)
    first = np.ones((len(value), min(1, value.shape[1])), bool)
    better = rising[:, 1:] > np.maximum.accumulate(rising, axis=1)[:, :-1]
    places = np.where(np.hstack([first, better]), np.arange(value.shape[1]), 0)
    by_rate = np.take_along_axis(order, np.maximum.accumulate(places, axis=1), -1)
    best = np.empty_like(by_rate)
    np.put_along_axis(best, order, by_rate, -1)
    return best


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
        present |= {name for name in METRICS if quality(result, name) is not None}
    names = [name for name in METRICS if name in present]
    if "ms_ssim" in names:
        names.insert(names.index("ms_ssim") + 1, DECIBEL)
    return names + sorted(further - {*METRICS, DECIBEL})


def quality(result: Result, metric: str) -> float | None:
    """A row's value of a metric; that of :data:`DECIBEL` is the plain MS-SSIM."""
    name = "ms_ssim" if metric == DECIBEL else metric
    return result.more[name] if name in result.more else getattr(result, name, None)


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


def measure(results: Sequence[Result], metric: str) -> list[RDPoints]:
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
) -> RDPoints:
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
    found = RDPoints(
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
    return at_its_best(found) if found.iterations is None else found


def at_its_best(found: RDPoints) -> RDPoints:
    """The points that no other setting of the same image beats, which stand for those it does.

    Settings that come to the same points are one, that which is beaten least.
    """
    places = best_within(found.bpp.T, found.value.T).T
    bpp, value = (np.take_along_axis(each, places, 0) for each in (found.bpp, found.value))
    lost = ((bpp != found.bpp) | (value != found.value)).sum(axis=1)
    distinct: dict[bytes, int] = {}
    for row in np.argsort(lost, kind="stable").tolist():
        distinct.setdefault(bpp[row].tobytes() + value[row].tobytes(), row)
    kept = sorted(distinct.values(), key=lambda row: float(bpp[row].sum()))
    return replace(
        found,
        settings=tuple(found.settings[row] for row in kept),
        bpp=bpp[kept],
        value=value[kept],
        beaten={s: n for s, n in zip(found.settings, lost.tolist(), strict=True) if n},
    )


def nominal(measured: RDPoints) -> RDPoints:
    """One of our models at k/8 bpp: without entropy coding, as the authors' own curve."""
    assert measured.iterations is not None, measured.codec
    rates = np.array(measured.iterations, float)[:, None] / 8
    return replace(measured, rates=NOMINAL, bpp=np.broadcast_to(rates, measured.bpp.shape).copy())
