"""Which setting explains the differences between runs: main effects over a grid.

An additive model, figure = constant + one effect per level of each factor, fitted by least
squares (statsmodels). A level's marginal mean is what it predicts with all other factors evenly
mixed: over a balanced grid, the plain mean of the level's runs. A factor's share of the variance
is the part of the total sum of squares that only it explains; over a balanced grid, shares and
remainder add up to one, and the remainder is interactions and chance.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from itertools import product
from typing import Any

import numpy as np

from rnncodec.evaluation.curves import Array
from rnncodec.evaluation.statistics import Estimate

Setting = Mapping[str, str]
"""One run: factor -> level."""


@dataclass(frozen=True)
class Level:
    """One level of a factor: how many runs have it, and its marginal mean with 95 % interval."""

    name: str
    runs: int
    mean: Estimate


@dataclass(frozen=True)
class Factor:
    """A setting that differs between runs, its levels, and its share of the variance."""

    name: str
    levels: list[Level]
    share: float | None


@dataclass(frozen=True)
class Effects:
    """What explains a figure.

    Attributes:
        measure: the figure.
        runs: how many runs it is known of.
        factors: by falling share.
        rest: the share that no factor explains alone.
        notes: what a reader has to know.
    """

    measure: str
    runs: int
    factors: list[Factor] = field(default_factory=list)
    rest: float | None = None
    notes: list[str] = field(default_factory=list)

    def plain(self) -> dict[str, Any]:
        """For JSON."""
        factors = [
            {
                "name": factor.name,
                "share": factor.share,
                "levels": [
                    {"name": level.name, "runs": level.runs, **level.mean.plain()}
                    for level in factor.levels
                ],
            }
            for factor in self.factors
        ]
        return asdict(self) | {"factors": factors}


def main_effects(measure: str, settings: Sequence[Setting], values: Sequence[float]) -> Effects:
    """The factors with at least two levels, and what they explain of ``values``.

    Args:
        measure: what the values are.
        settings: one per run, all with the same factors.
        values: one per run.
    """
    first = settings[0] if settings else {}
    varied = [name for name in first if len({setting[name] for setting in settings}) > 1]
    if not varied:
        note = "fewer than two levels of every setting: nothing to compare"
        return Effects(measure, len(settings), notes=[note])
    names = [name for name in varied if not follows_from_choice(name, varied, settings)]
    notes = [
        f"{name} is left out: {name.partition('.')[0]} says which"
        for name in varied
        if name not in names
    ]
    y = np.array(values, float)
    levels = {name: sorted({setting[name] for setting in settings}) for name in names}
    rows = [[1.0, *np.hstack([code(levels[name], s[name]) for name in names])] for s in settings]
    matrix = np.array(rows)
    if np.linalg.matrix_rank(matrix) < matrix.shape[1]:
        notes.append(
            "the runs there are do not separate the factors; plain means of each level's runs are "
            "shown, without shares"
        )
        factors = [Factor(name, plain_levels(name, settings, y), None) for name in names]
        return Effects(measure, len(y), factors, notes=notes)
    total = float(((y - y.mean()) ** 2).sum())
    factors = fitted_factors(levels, settings, matrix, y)
    factors.sort(key=lambda factor: -(factor.share or 0.0))
    rest = 1 - sum(factor.share or 0.0 for factor in factors) if total else None
    return Effects(measure, len(y), factors, rest, [*notes, *remarks(levels, settings, total)])


def fitted_factors(
    levels: Mapping[str, Sequence[str]], settings: Sequence[Setting], matrix: Array, y: Array
) -> list[Factor]:
    """Marginal means and shares of variance by the additive model of a full-rank matrix."""
    from statsmodels.regression.linear_model import OLS  # a second to import

    fit = OLS(y, matrix).fit()
    total = fit.centered_tss if fit.centered_tss > 0 else 1.0
    found, start = [], 1
    for name, names in levels.items():
        columns = range(start, start + len(names) - 1)
        start += len(names) - 1
        without = OLS(y, np.delete(matrix, columns, axis=1)).fit()
        own = []
        for level in names:
            point = np.zeros(matrix.shape[1])
            point[[0, *columns]] = [1.0, *code(names, level)]
            runs = sum(setting[name] == level for setting in settings)
            own.append(Level(level, runs, predicted(fit, point)))
        found.append(Factor(name, own, float((without.ssr - fit.ssr) / total)))
    return found


def plain_levels(name: str, settings: Sequence[Setting], y: Array) -> list[Level]:
    """Plain means over each level's runs."""
    found = []
    for level in sorted({setting[name] for setting in settings}):
        own = y[[setting[name] == level for setting in settings]]
        reason = "plain mean: the factors are not separated"
        found.append(Level(level, own.size, Estimate(float(own.mean()), reason=reason)))
    return found


def follows_from_choice(name: str, varied: Sequence[str], settings: Sequence[Setting]) -> bool:
    """Whether the choice it belongs to says its level, as ``loss`` may say ``loss.alpha``."""
    choice, dot, _ = name.partition(".")
    if not dot or choice not in varied:
        return False
    both = {(setting[choice], setting[name]) for setting in settings}
    return len(both) == len({setting[choice] for setting in settings})


def code(levels: Sequence[str], level: str) -> Array:
    """A level's row of columns that sum to zero: one-hot, and -1 throughout for the last."""
    k, last = levels.index(level), len(levels) - 1
    return np.eye(last)[k] if k < last else -np.ones(last)


def predicted(fit: Any, point: Array) -> Estimate:
    """What a fitted model predicts at a row, with the 95 % interval of the mean there."""
    if fit.df_resid < 1:
        return Estimate(float(point @ fit.params), reason="no interval: as many effects as runs")
    found = fit.get_prediction(point[None])
    low, high = found.conf_int(alpha=0.05)[0]
    return Estimate(float(found.predicted_mean[0]), float(low), float(high))


def remarks(
    levels: Mapping[str, Sequence[str]], settings: Sequence[Setting], total: float
) -> list[str]:
    """What keeps the grid from being a full and even one."""
    runs = Counter(tuple(setting[name] for name in levels) for setting in settings)
    counts = [runs[cell] for cell in product(*levels.values())]
    notes = []
    if len(set(counts)) > 1:
        notes.append(
            f"the grid is unbalanced ({min(counts)} to {max(counts)} runs of each of its "
            f"{len(counts)} combinations): means are those of the additive model with the other "
            "factors evenly mixed, and shares need not add up"
        )
    if total == 0:
        notes.append("all runs have the same figure: there is no variance to share")
    return notes
