"""Which setting explains the differences between runs: main effects over a grid.

An additive model, figure = constant + one effect per level of each factor, fitted by least
squares. A level's marginal mean is what it predicts with all other factors evenly mixed: over a
balanced grid, the plain mean of the level's runs. A factor's share of the variance is the part of
the total sum of squares that only it explains; over a balanced grid, shares and remainder add up
to one, and the remainder is interactions and chance.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from typing import Any

import numpy as np
from scipy import stats

from rnncodec.evaluation.rd_points import Array
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
        return {
            "measure": self.measure,
            "runs": self.runs,
            "factors": [
                {
                    "name": factor.name,
                    "share": factor.share,
                    "levels": [
                        {"name": level.name, "runs": level.runs, **level.mean.plain()}
                        for level in factor.levels
                    ],
                }
                for factor in self.factors
            ],
            "rest": self.rest,
            "notes": self.notes,
        }


def main_effects(measure: str, settings: Sequence[Setting], values: Sequence[float]) -> Effects:
    """The factors with at least two levels, and what they explain of ``values``.

    Args:
        measure: what the values are.
        settings: one per run, all with the same factors.
        values: one per run.
    """
    varied = [
        name
        for name in (settings[0] if settings else {})
        if len({setting[name] for setting in settings}) > 1
    ]
    if not varied:
        note = "fewer than two levels of every setting: nothing to compare"
        return Effects(measure, len(settings), notes=[note])
    told = [name for name in varied if is_told(name, varied, settings)]
    names = [name for name in varied if name not in told]
    left_out = [f"{name} is left out: {name.partition('.')[0]} says which" for name in told]
    y = np.array(values, float)
    design = Design(names, settings)
    if design.rank < design.columns:
        note = (
            "the runs there are do not separate the factors; plain means of each level's runs are "
            "shown, without shares"
        )
        factors = [Factor(name, plain_levels(name, settings, y), None) for name in names]
        return Effects(measure, len(y), factors, notes=[*left_out, note])
    full = design.residual(y)
    total = float(((y - y.mean()) ** 2).sum())
    shares = {name: (design.residual(y, without=name) - full) / (total or 1.0) for name in names}
    factors = [Factor(name, design.levels_of(name, y), shares[name]) for name in names]
    factors.sort(key=lambda factor: -(factor.share or 0.0))
    rest = 1 - sum(shares.values()) if total else None
    notes = [*left_out, *remarks(names, settings, total)]
    return Effects(measure, len(y), factors, rest, notes)


def is_told(name: str, varied: Sequence[str], settings: Sequence[Setting]) -> bool:
    """Whether the choice it belongs to says its level, as ``loss`` may say ``loss.alpha``."""
    choice, dot, _ = name.partition(".")
    if not dot or choice not in varied:
        return False
    both = {(setting[choice], setting[name]) for setting in settings}
    return len(both) == len({setting[choice] for setting in settings})


class Design:
    """The additive model's matrix: a constant, and effects that sum to zero for each factor."""

    def __init__(self, names: Sequence[str], settings: Sequence[Setting]) -> None:
        self.settings = settings
        self.levels = {name: sorted({s[name] for s in settings}) for name in names}
        self.blocks = {name: self.block(name) for name in names}
        self.matrix = self.stack()
        self.columns = self.matrix.shape[1]
        self.rank = int(np.linalg.matrix_rank(self.matrix))

    def code(self, name: str, level: str) -> Array:
        """The row of a level: one-hot, and -1 throughout for the last."""
        levels = self.levels[name]
        k = levels.index(level)
        return np.eye(len(levels) - 1)[k] if k < len(levels) - 1 else -np.ones(len(levels) - 1)

    def block(self, name: str) -> Array:
        """The columns of a factor, one row per run."""
        return np.array([self.code(name, setting[name]) for setting in self.settings])

    def stack(self, without: str = "") -> Array:
        """The matrix, if need be without a factor."""
        ones = np.ones((len(self.settings), 1))
        return np.hstack([ones, *(b for name, b in self.blocks.items() if name != without)])

    def residual(self, y: Array, without: str = "") -> float:
        """The sum of squares that the model leaves."""
        matrix = self.stack(without)
        fitted = matrix @ np.linalg.lstsq(matrix, y, rcond=None)[0]
        return float(((y - fitted) ** 2).sum())

    def levels_of(self, name: str, y: Array) -> list[Level]:
        """The marginal means of a factor, with intervals from what the model leaves."""
        freedom = len(y) - self.columns
        inverse = np.linalg.inv(self.matrix.T @ self.matrix)
        found = []
        for level in self.levels[name]:
            row = np.concatenate(
                [[1.0]]
                + [
                    self.code(other, level) if other == name else np.zeros(block.shape[1])
                    for other, block in self.blocks.items()
                ]
            )
            mean = float(row @ inverse @ self.matrix.T @ y)
            runs = sum(setting[name] == level for setting in self.settings)
            if freedom < 1:
                reason = "no interval: as many effects as runs"
                found.append(Level(level, runs, Estimate(mean, reason=reason)))
                continue
            error = np.sqrt(self.residual(y) / freedom * (row @ inverse @ row))
            half = float(stats.t.ppf(0.975, freedom) * error)
            found.append(Level(level, runs, Estimate(mean, mean - half, mean + half)))
        return found


def plain_levels(name: str, settings: Sequence[Setting], y: Array) -> list[Level]:
    """Plain means over each level's runs."""
    found = []
    for level in sorted({setting[name] for setting in settings}):
        own = y[[setting[name] == level for setting in settings]]
        reason = "plain mean: the factors are not separated"
        found.append(Level(level, own.size, Estimate(float(own.mean()), reason=reason)))
    return found


def remarks(names: Sequence[str], settings: Sequence[Setting], total: float) -> list[str]:
    """What keeps the grid from being a full and even one."""
    counts = {
        cell: sum(
            all(s[n] == level for n, level in zip(names, cell, strict=True)) for s in settings
        )
        for cell in product(*(sorted({s[name] for s in settings}) for name in names))
    }
    notes = []
    if len(set(counts.values())) > 1:
        least, most = min(counts.values()), max(counts.values())
        notes.append(
            f"the grid is unbalanced ({least} to {most} runs of each of its {len(counts)} "
            "combinations): means are those of the additive model with the other factors evenly "
            "mixed, and shares need not add up"
        )
    if total == 0:
        notes.append("all runs have the same figure: there is no variance to share")
    return notes
