"""Every codec's points image by image, so that they can be averaged over any of the images."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from rnncodec.errors import DataError
from rnncodec.evaluation.curves import FILES, NOMINAL, Array, RDCurve
from rnncodec.evaluation.metrics import DECIBEL, METRICS, decibels
from rnncodec.evaluation.results import Result

Indices: TypeAlias = NDArray[np.intp]


@dataclass(frozen=True)
class RDPoints:
    """The points of one codec under one metric: P settings by N images.

    Of a codec that is asked for a setting, these are its best: a point that another of its
    settings beats on the same image, with no more bytes a quality at least as good, is left out,
    and that other one stands in its place. Who uses the codec would take it, and the averages
    stay over all images. Points after the iterations of a model are as they are: they are one
    file, whose course is what is measured.

    Attributes:
        codec, metric, rates: as of an :class:`RDCurve`.
        images: N names, sorted.
        settings: P of them, by rising average rate.
        iterations: of one of our models, P of them; None for another codec.
        bpp, value: (P, N); of :data:`DECIBEL`, value is the plain MS-SSIM.
        left_out: further settings, which an image lacks or where one is perfect.
        dominated: setting -> on how many of the images another one beats it, where on any.
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
    dominated: Mapping[str, int] = field(default_factory=dict)

    def curve(self, weights: Array | None = None) -> RDCurve:
        """The averages over all images, or for each of (R, N) weights over them.

        Averages that others beat are left out as images' points are: those stand in their place.
        """
        if weights is None:
            weights = np.full((1, len(self.images)), 1 / max(1, len(self.images)))
        bpp, value = weights @ self.bpp.T, weights @ self.value.T
        if self.metric == DECIBEL:
            value = decibels(value)
        places = np.broadcast_to(np.arange(bpp.shape[1]), bpp.shape)
        if self.iterations is None:
            places = best_within(bpp, value)
            bpp, value = (np.take_along_axis(each, places, -1) for each in (bpp, value))
        order = np.lexsort((value, bpp), axis=-1)
        bpp, value = (np.take_along_axis(each, order, -1) for each in (bpp, value))
        places = np.take_along_axis(places, order, -1)
        first = places[0].tolist()
        names = [f"iteration {k}" for k in self.iterations or ()]
        return RDCurve(
            self.codec,
            self.metric,
            bpp,
            value,
            tuple((names or self.settings)[k] for k in first),
            self.iterations and tuple(self.iterations[k] for k in first),
            self.rates,
            self.images,
        )

    def at_nominal_rates(self) -> "RDPoints":
        """One of our models at k/8 bpp: without entropy coding, as the authors' own curve."""
        assert self.iterations is not None, self.codec
        rates = np.array(self.iterations, float)[:, None] / 8
        return replace(self, rates=NOMINAL, bpp=np.broadcast_to(rates, self.bpp.shape).copy())


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


@dataclass(frozen=True, order=True)
class Failure:
    """Rows of the table without picture or with metrics missing, and why."""

    codec: str
    image: str
    rows: int
    reason: str


def failures(results: Iterable[Result]) -> list[Failure]:
    """The rows with a reason, and those without any quality, by codec, image and reason."""
    bad = Counter(
        (r.codec, r.image, r.reason or "no reason given")
        for r in results
        if r.reason or not r.values
    )
    return [Failure(codec, image, n, why) for (codec, image, why), n in sorted(bad.items())]


def metrics_of(results: Iterable[Result]) -> list[str]:
    """The metrics that any row has: ours, MS-SSIM in dB after MS-SSIM, then others by name."""
    present = {name for result in results for name in result.values}
    names = [name for name in METRICS if name in present]
    if "ms_ssim" in names:
        names.insert(names.index("ms_ssim") + 1, DECIBEL)
    return names + sorted(present - {*METRICS, DECIBEL})


def rd_points(results: Sequence[Result], metric: str) -> list[RDPoints]:
    """The points of every codec that has some, in the table's order, over the same images.

    The images are those for which every such codec has the metric. A setting that one of them
    lacks is left out, since its average would be over other images; so is one where an image is
    perfect, and its decibels (and the average) infinite.

    Raises:
        DataError: two rows for the same codec, setting and image; a rate that is not positive; a
            quality that is no number.
    """
    name = "ms_ssim" if metric == DECIBEL else metric
    tables: dict[str, list[Result]] = {}
    for row in results:
        value = row.values.get(name)
        if row.bpp is None or value is None:
            continue
        if not 0 < row.bpp < np.inf or not value > -np.inf:
            raise DataError(
                f"results: {row.codec}, {row.setting}, {row.image}: expected a positive rate and "
                f"a quality, got bpp={row.bpp}, {metric}={value}"
            )
        tables.setdefault(row.codec, []).append(row)
    if not tables:
        return []
    common = set.intersection(*({row.image for row in table} for table in tables.values()))
    images = tuple(sorted(common))
    return [points_of(table, metric, name, images) for table in tables.values()]


def points_of(
    results: Sequence[Result], metric: str, column: str, images: tuple[str, ...]
) -> RDPoints:
    """The points of one codec as arrays over ``images``; see :func:`rd_points`."""
    cells: dict[tuple[int | None, str], dict[str, tuple[float, float]]] = {}
    for row in results:
        by_image = cells.setdefault((row.iteration, row.setting), {})
        if row.image in by_image:
            raise DataError(f"results: two rows for {row.codec}, {row.setting}, {row.image}")
        by_image[row.image] = row.bpp or 0.0, row.values[column]
    perfect = 1.0 if metric == DECIBEL else np.inf
    full = {
        key: [by_image[image] for image in images]
        for key, by_image in cells.items()
        if images and all(image in by_image and by_image[image][1] < perfect for image in images)
    }
    order = sorted(full, key=lambda key: sum(bpp for bpp, _ in full[key]))
    points = np.array([full[key] for key in order]).reshape(len(order), len(images), 2)
    iterations = tuple(iteration for iteration, _ in order if iteration is not None)
    found = RDPoints(
        results[0].codec,
        metric,
        FILES,
        images,
        tuple(setting for _, setting in order),
        iterations if order and len(iterations) == len(order) else None,
        points[..., 0],
        points[..., 1],
        tuple(key[1] for key in cells if images and key not in full),
    )
    return at_its_best(found) if found.iterations is None else found


def at_its_best(found: RDPoints) -> RDPoints:
    """The points that no other setting of the same image beats, which stand for those it does.

    Settings that come to the same points are one, that which is dominated least.
    """
    places = best_within(found.bpp.T, found.value.T).T
    bpp, value = (np.take_along_axis(each, places, 0) for each in (found.bpp, found.value))
    lost = ((bpp != found.bpp) | (value != found.value)).sum(axis=1)
    distinct: dict[bytes, int] = {}
    for row in np.argsort(lost, kind="stable").tolist():
        distinct.setdefault(bpp[row].tobytes() + value[row].tobytes(), row)
    chosen = sorted(distinct.values(), key=lambda row: float(bpp[row].sum()))
    return replace(
        found,
        settings=tuple(found.settings[row] for row in chosen),
        bpp=bpp[chosen],
        value=value[chosen],
        dominated={s: n for s, n in zip(found.settings, lost.tolist(), strict=True) if n},
    )


def mean_curve(results: Sequence[Result], metric: str) -> RDCurve | None:
    """One model's averages of rate and metric at equal iteration; None if no image has it.

    Rows without an iteration do not count; for what else is left out see :func:`rd_points`.
    """
    found = rd_points([row for row in results if row.iteration is not None], metric)
    return found[0].curve() if found and found[0].settings else None
