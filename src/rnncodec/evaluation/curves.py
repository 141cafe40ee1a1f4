"""Rate-distortion curves, the areas under them, and curves that others published (section 4).

An area always names its range, its rule and its rates, because these move it by more than the
models differ. A curve that does not cover the range has no area: absent is absent.
"""

import csv
import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from rnncodec.errors import DataError
from rnncodec.evaluation.metrics import DECIBEL, decibels
from rnncodec.machine.storage import printable

Array: TypeAlias = NDArray[np.float64]

FILES, NOMINAL, PUBLISHED = "file bytes", "nominal", "published"
"""What rates are: those of the files, k/8 bpp after iteration k (without entropy coding), or what
others stated."""

LOW, HIGH = 0.25, 1.5
"""The range of the AUC, in bpp."""

NOMINAL_ITERATIONS = 16
"""The iterations that the nominal AUC spans: 0.125 to 2.0 bpp."""


@dataclass(frozen=True, eq=False)
class RDCurve:
    """One metric of one codec over rate: R curves of P points, the first over all images.

    The further ones, if any, are over resamples of the images. ``bpp`` and ``quality`` are (R, P),
    by rising rate; ``settings`` (what was asked of the codec; may be empty) and ``iterations`` (of
    our models) are those of the first curve's points; ``rates`` is :data:`FILES`,
    :data:`NOMINAL` or :data:`PUBLISHED`, ``images`` what the averages are over.
    """

    codec: str
    metric: str
    bpp: Array
    quality: Array
    settings: tuple[str, ...] = ()
    iterations: tuple[int, ...] | None = None
    rates: str = FILES
    images: tuple[str, ...] = ()

    @classmethod
    def of(
        cls, samples: Iterable[tuple[float, float]], codec: str = "", metric: str = ""
    ) -> "RDCurve":
        """The published curve through (bpp, quality) pairs in order of rising rate."""
        bpp, quality = np.array([*samples], float).reshape(1, -1, 2).transpose(2, 0, 1)
        return cls(codec, metric, bpp, quality, rates=PUBLISHED)

    @property
    def name(self) -> str:
        """The codec, and its rates if they are not those of files."""
        kinds = {NOMINAL: ", nominal rate", PUBLISHED: " (published)"}
        return self.codec + kinds.get(self.rates, "")

    @property
    def labelled(self) -> list[tuple[float, float, str]]:
        """The first curve's points with their settings, each once."""
        points = zip(self.bpp[0].tolist(), self.quality[0].tolist(), strict=True)
        settings = self.settings or ("",) * self.bpp.shape[1]
        return list(dict.fromkeys((*p, s) for p, s in zip(points, settings, strict=True)))

    @property
    def samples(self) -> list[tuple[float, float]]:
        """The first curve as (bpp, quality) pairs."""
        return [(bpp, quality) for bpp, quality, _ in self.labelled]

    def __eq__(self, other: object) -> bool:
        names = ("codec", "metric", "rates", "iterations", "images", "labelled")
        return isinstance(other, RDCurve) and all(
            getattr(self, name) == getattr(other, name) for name in names
        )

    __hash__ = None  # type: ignore[assignment]

    def in_decibels(self) -> "RDCurve":
        """A curve of MS-SSIM in dB, without points whose decibels are infinite."""
        finite = self.quality[0] < 1
        chosen = np.flatnonzero(finite).tolist()
        return replace(
            self,
            metric=DECIBEL,
            bpp=self.bpp[:1, finite],
            quality=decibels(self.quality[:1, finite]),
            settings=tuple(self.settings[k] for k in chosen if self.settings),
            iterations=self.iterations and tuple(self.iterations[k] for k in chosen),
        )

    def area(self, low: float = LOW, high: float = HIGH) -> Array:
        """(R,) means of the piecewise linear curves over [low, high] bpp: integral / width.

        NaN where a curve does not cover the range.
        """
        bpp, quality = self.bpp, self.quality
        if bpp.shape[1] < 2:
            return np.full(len(bpp), np.nan)
        width = np.diff(bpp)
        slope = np.divide(np.diff(quality), width, out=np.zeros_like(width), where=width > 0)
        start, end = np.clip(bpp[:, :-1], low, high), np.clip(bpp[:, 1:], low, high)
        middle = quality[:, :-1] + slope * ((start + end) / 2 - bpp[:, :-1])
        mean = ((end - start) * middle).sum(axis=1) / (high - low)
        return np.where((bpp[:, 0] <= low) & (bpp[:, -1] >= high), mean, np.nan)

    def nominal_area(self) -> Array:
        """(R,) areas (trapezoid, not divided by the range) over 0.125-2.0 bpp, at k/8 bpp.

        For comparison with the authors' curve, which has no entropy coding: iteration k counts
        as k/8 bpp, whatever the files weighed. A perfect MS-SSIM would have 1.875. NaN unless
        the curve has the iterations 1 to 16.
        """
        wanted = range(1, NOMINAL_ITERATIONS + 1)
        has = self.iterations or ()
        if not set(has).issuperset(wanted):
            return np.full(len(self.quality), np.nan)
        columns = [has.index(k) for k in wanted]
        return np.asarray(np.trapezoid(self.quality[:, columns], dx=1 / 8, axis=1))

    def rate_at(self, level: float) -> Array:
        """(R,) rates at which the piecewise linear curves first reach ``level``.

        NaN where a curve is better than that from its first point on, or never so good.
        """
        bpp, quality = self.bpp, self.quality
        if bpp.shape[1] == 0:
            return np.full(len(bpp), np.nan)
        reached = quality >= level
        k = np.maximum(reached.argmax(axis=1), 1).clip(max=bpp.shape[1] - 1)[:, None]
        x0, x1, y0, y1 = (
            np.take_along_axis(a, i, 1)[:, 0]
            for a in (bpp, quality)
            for i in (np.maximum(k - 1, 0), k)
        )
        rise = y1 - y0
        part = np.divide(level - y0, rise, out=np.zeros_like(rise), where=rise > 0)
        covered = (quality[:, 0] <= level) & reached.any(axis=1)
        return np.where(covered, x0 + part * (x1 - x0), np.nan)

    def rising(self) -> NDArray[np.bool_]:
        """(R, P): whether a point is better than all cheaper ones."""
        best = np.maximum.accumulate(self.quality, axis=1)
        first = np.ones((len(best), min(1, best.shape[1])), bool)
        rises = (self.quality[:, 1:] > best[:, :-1]) & (self.bpp[:, 1:] > self.bpp[:, :-1])
        return np.hstack([first, rises])

    def part(self, rows: NDArray[np.intp], points: NDArray[np.bool_]) -> tuple[Array, Array]:
        """Rates and qualities of some rows at some of their points."""
        return self.bpp[rows][:, points], self.quality[rows][:, points]


def first_of(figures: Array) -> float | None:
    """The figure of the first curve, or None where it is NaN."""
    return None if np.isnan(figures[0]) else float(figures[0])


def with_decibels(curves: Sequence[RDCurve]) -> list[RDCurve]:
    """The curves, and after each of MS-SSIM the same in dB."""
    both = ([c, c.in_decibels()] if c.metric == "ms_ssim" else [c] for c in curves)
    return [curve for each in both for curve in each]


POINT_COLUMNS = "codec,metric,bpp,value"
PACKAGED = Path(__file__).parents[1] / "published"
"""Points of others' papers on Kodak: ``NAME.csv``, and in ``sources.json`` where they are from."""


def published_file(name: Path) -> Path:
    """The file of published curves that a path, or the name of a packaged set, stands for.

    Raises:
        DataError: there is none.
    """
    packaged = {path.stem: path for path in PACKAGED.glob("*.csv")}
    if name.is_file():
        return name
    if str(name) not in packaged:
        raise DataError(
            f"{name}: no such file of published curves; expected a CSV, or one of the packaged "
            f"sets: {', '.join(sorted(packaged))}"
        )
    return packaged[str(name)]


def read_published(path: Path) -> list[RDCurve]:
    """Read ``codec,metric,bpp,value`` rows: the curves by codec and metric, in the file's order.

    DataError: no such file, no text, other columns, a cell that is no number (with its line).
    """
    path = published_file(path)
    found: dict[tuple[str, str], list[tuple[float, float]]] = defaultdict(list)
    try:
        with path.open(encoding="utf-8", newline="") as file:
            reader = csv.reader(file)
            if (header := ",".join(next(reader, []))) != POINT_COLUMNS:
                raise DataError(f"{path}: expected the columns {POINT_COLUMNS}, got {header}")
            for row in reader:
                where = f"{path}, line {reader.line_num}"
                try:
                    codec, metric, *point = row
                    bpp, value = map(float, point)
                except ValueError as error:
                    what = f"expected {POINT_COLUMNS}, got {row}: {error}"
                    raise DataError(f"{where}: {what}") from error
                if not (math.isfinite(bpp) and math.isfinite(value)):
                    raise DataError(f"{where}: bpp and value must be finite, got {row}")
                found[printable(codec), printable(metric)].append((bpp, value))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path}: cannot be read as CSV: {error}") from error
    return [RDCurve.of(sorted(points), *names) for names, points in found.items()]
