"""Training runs side by side: the paper's table, and which setting explains the differences."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from itertools import product
from math import inf
from statistics import fmean, stdev
from typing import Any

import numpy as np
from scipy import stats

from rnncodec.comparison.runs import Run, Unfinished
from rnncodec.evaluation.curves import FILES, NOMINAL, Array
from rnncodec.evaluation.statistics import Estimate
from rnncodec.evaluation.summary import Summary, summarize
from rnncodec.evaluation.tables import areas_of
from rnncodec.models.model_description import SCORE_METRICS

AUC_MEASURE = "MS-SSIM AUC [0.25, 1.5]"
SCORE_MEASURES = {metric: f"selection score, {name}" for metric, name in SCORE_METRICS.items()}
SCORE_MEASURE = SCORE_MEASURES["ms_ssim"]
NO_MEASURE = "nothing"
MEASURES = (AUC_MEASURE, *SCORE_MEASURES.values(), NO_MEASURE)
"""What runs are ranked by, each by the first of these that it has; no two are comparable."""

FACTORS = ("cell", "recon", "entropy")


@dataclass(frozen=True)
class Row:
    """Runs that differ in nothing but their seed.

    Attributes:
        settings: the others in which the compared runs differ.
        auc, nominal: MS-SSIM AUC [0.25, 1.5] and nominal. Of one run, with its interval over
            images; of several seeds, their mean with an interval over seeds.
        areas: the AUC [0.25, 1.5] of each further metric of the table, PSNR-HVS first.
        score: the mean selection score, if all runs have one; all of the same metric.
        gain: the mean share of bits that entropy coding saved.
    """

    runs: tuple[Run, ...]
    settings: dict[str, str]
    auc: Estimate
    nominal: Estimate
    areas: dict[str, Estimate]
    score: Estimate
    gain: Estimate

    @property
    def name(self) -> str:
        """What distinguishes it."""
        run = self.runs[0]
        others = (f"{key}={value}" for key, value in self.settings.items())
        return " ".join([run.cell, run.recon, run.entropy, *others])

    @property
    def measure(self) -> str:
        """What it is ranked by, among the rows that are ranked by the same."""
        if self.auc.value is not None:
            return AUC_MEASURE
        metric = self.runs[0].metric
        return NO_MEASURE if metric is None else SCORE_MEASURES[metric]


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
    """What explains a figure (``measure``): factors by falling share.

    ``rest`` is the share that no factor explains alone.
    """

    measure: str
    runs: int
    factors: list[Factor] = field(default_factory=list)
    rest: float | None = None
    notes: list[str] = field(default_factory=list)

    def plain(self) -> dict[str, Any]:
        """For JSON."""
        found = asdict(self)
        for factor, own in zip(found["factors"], self.factors, strict=True):
            factor["levels"] = [
                {"name": level.name, "runs": level.runs, **level.mean.plain()}
                for level in own.levels
            ]
        return found


@dataclass(frozen=True)
class Comparison:
    """What `rnncodec compare` says: rows, best first among those that are ranked by the same.

    That is the MS-SSIM AUC, or where it is absent the selection score, each of its metrics by
    itself; ``effects`` are on the AUC, or where not every run has one on the score, of the metric
    that most runs have.
    """

    rows: list[Row]
    summary: Summary | None
    effects: Effects | None
    unfinished: list[Unfinished]
    notes: list[str]


def compare(runs: Sequence[Run], unfinished: Sequence[Unfinished] = ()) -> Comparison:
    """Put runs side by side, over the images that all of them were measured on.

    A run that shares less than half of the images that most runs have is set aside, and said so.

    Raises:
        DataError: a table of results contradicts itself.
    """
    left, taken = list(unfinished), []
    usual = Counter(run.images for run in runs).most_common(1)[0][0] if runs else frozenset()
    for run in runs:
        common = len(run.images & usual)
        if 2 * common >= len(usual):
            taken.append(run)
            continue
        what = f"{len(run.images)} images, of which {common} are theirs"
        left.append(Unfinished(run.name, f"measured on other images than most runs ({what})"))
    if not taken:
        return Comparison([], None, None, left, ["no run is finished yet"])
    results = [replace(result, codec=run.name) for run in taken for result in run.results]
    summary = summarize(results)
    varying = varying_settings(taken)
    rows = [build_row(group, varying, summary) for group in by_all_but_seed(taken, varying)]
    for figure in ("score", "auc"):  # the sort is stable
        rows.sort(key=lambda row: inf if (v := getattr(row, figure).value) is None else -v)
    rows.sort(key=lambda row: MEASURES.index(row.measure))
    notes = list(summary.notes)
    if short := sum(row.auc.value is None for row in rows):
        notes.insert(
            0,
            f"{short} of {len(rows)} rows have no MS-SSIM AUC, since their curves do not cover "
            "0.25-1.5 bpp; they are ranked by their selection score: the mean over the iterations "
            "of the validation images' MS-SSIM, or of the PSNR where those are too small. Each "
            "metric is ranked by itself, and compares only runs with the same iterations and "
            "validation images.",
        )
    return Comparison(rows, summary, explain(taken, varying, summary), left, notes)


def ranks(rows: Sequence[Row]) -> list[int]:
    """The rank of each of the ordered rows, among those that are ranked by the same."""
    measures = [row.measure for row in rows]
    return [measures[: k + 1].count(measure) for k, measure in enumerate(measures)]


def varying_settings(runs: Sequence[Run]) -> list[str]:
    """Settings beside cell, recon, entropy and seed in which runs differ.

    One of a part counts where runs with that part differ in it: that another part has no such
    setting is said by the part's own column.
    """
    keys = sorted({key for run in runs for key in run.settings})
    found = []
    for key in keys:
        group = key.partition(".")[0].removesuffix("_fit")
        values: dict[str, set[str]] = {}
        for run in runs:
            part = getattr(run, group) if group in FACTORS else ""
            values.setdefault(part, set()).add(run.settings.get(key, ""))
        if any(len(each) > 1 for each in values.values()):
            found.append(key)
    return found


def by_all_but_seed(runs: Sequence[Run], varying: Sequence[str]) -> list[list[Run]]:
    """Groups of runs with equal settings but different seeds.

    Runs with the same seed, too, are a repetition that is no independent sample: they stay apart.
    """
    groups: dict[tuple[object, ...], list[Run]] = {}
    for run in runs:
        others = (run.settings.get(name, "") for name in varying)
        key, again = (run.cell, run.recon, run.entropy, run.metric, *others), 0
        while run.seed in {other.seed for other in groups.get((*key, again), [])}:
            again += 1
        groups.setdefault((*key, again), []).append(run)
    return list(groups.values())


def build_row(group: Sequence[Run], varying: Sequence[str], summary: Summary) -> Row:
    """The row of runs that differ in nothing but their seed."""

    def over(metric: str, figures: str, rates: str = FILES) -> Estimate:
        absent = Estimate(None, reason=f"no {metric}")
        by_metric = [getattr(summary.of(run.name, rates), figures) for run in group]
        return over_seeds([each.get(metric, absent) for each in by_metric])

    def of_runs(values: Sequence[float | None], reason: str) -> Estimate:
        return over_seeds([Estimate(v, reason="" if v is not None else reason) for v in values])

    return Row(
        tuple(group),
        {name: group[0].settings.get(name, "") for name in varying},
        over("ms_ssim", "auc"),
        over("ms_ssim", "auc_nominal", NOMINAL),
        {metric: over(metric, "auc") for metric in areas_of(summary) if metric != "ms_ssim"},
        of_runs([run.score for run in group], "the model file has no score"),
        of_runs([run.gain for run in group], "no entropy model"),
    )


def over_seeds(figures: Sequence[Estimate]) -> Estimate:
    """The figure of one seed as it is; the mean of several with Student's 95 % interval."""
    if len(figures) == 1:
        return figures[0]
    values = [figure.value for figure in figures if figure.value is not None]
    if len(values) < len(figures):
        reason = next(figure.reason for figure in figures if figure.value is None)
        return Estimate(None, reason=f"{len(values)} of {len(figures)} seeds have it: {reason}")
    mean = fmean(values)
    half = float(stats.t.ppf(0.975, len(values) - 1)) * stdev(values) / len(values) ** 0.5
    return Estimate(mean, mean - half, mean + half)


def explain(runs: Sequence[Run], varying: Sequence[str], summary: Summary) -> Effects:
    """Main effects on the AUC, or where a run has none, on the selection score.

    Those of cell, recon, entropy and what else varies by itself: a setting in which runs of the
    same parts agree, as the steps of a comparison at equal cost, has no effect of its own.
    """
    notes: list[str] = []
    areas = [summary.of(run.name).auc.get("ms_ssim", Estimate(None)).value for run in runs]
    measure, same, figures = AUC_MEASURE, list(runs), areas
    if None in areas:
        scored = [run for run in runs if run.metric is not None]
        counts = Counter(run.metric for run in scored)
        metric = max(SCORE_MEASURES, key=lambda each: counts[each])
        same = [run for run in scored if run.metric == metric]
        measure, figures = SCORE_MEASURES[metric], [run.score for run in same]
        if len(same) < len(scored):
            others = f"{len(scored) - len(same)} of {len(scored)} runs"
            notes.append(f"{others} are left out: their score is of another metric")
    values: dict[tuple[str, ...], set[str]] = {}
    for run, name in product(same, varying):
        parts = (name, *(getattr(run, factor) for factor in FACTORS))
        values.setdefault(parts, set()).add(run.settings.get(name, ""))
    free = {parts[0] for parts, found in values.items() if len(found) > 1}
    if follows := [name for name in varying if name not in free]:
        note = f"{', '.join(follows)}: given by {', '.join(FACTORS)}, whose effects include it"
        notes.insert(0, note)
    settings = [
        {name: getattr(run, name) for name in FACTORS}
        | {name: run.settings.get(name, "") for name in varying if name in free}
        for run in same
    ]
    effects = main_effects(measure, settings, [figure or 0.0 for figure in figures])
    effects.notes.extend(notes)
    return effects


def main_effects(
    measure: str, settings: Sequence[Mapping[str, str]], values: Sequence[float]
) -> Effects:
    """The factors with at least two levels, and what they explain of ``values``.

    An additive model, figure = constant + one effect per level of each factor, fitted by least
    squares. A level's marginal mean is what it predicts with all other factors evenly mixed: over
    a balanced grid, the plain mean of the level's runs. A factor's share of the variance is the
    part of the total sum of squares that only it explains; over a balanced grid, shares and
    remainder add up to one, and the remainder is interactions and chance.

    Args:
        measure: what the values are.
        settings: one per run, factor -> level, all with the same factors.
        values: one per run.
    """
    from statsmodels.regression.linear_model import OLS  # a second to import

    first = settings[0] if settings else {}
    varied = [name for name in first if len({setting[name] for setting in settings}) > 1]
    if not varied:
        note = "fewer than two levels of every setting: nothing to compare"
        return Effects(measure, len(settings), notes=[note])
    levels: dict[str, list[str]] = {}
    notes = []
    for name in varied:
        choice, dot, _ = name.partition(".")  # as ``loss``, which may say ``loss.alpha``
        both = {(setting.get(choice), setting[name]) for setting in settings}
        if dot and choice in varied and len(both) == len({choice for choice, _ in both}):
            notes.append(f"{name} is left out: {choice} says which")
        else:
            levels[name] = sorted({setting[name] for setting in settings})
    y = np.array(values, float)
    rows = [[1.0, *np.hstack([code(levels[n], s[n]) for n in levels])] for s in settings]
    matrix = np.array(rows)
    separated = np.linalg.matrix_rank(matrix) == matrix.shape[1]
    if not separated:
        notes.append(
            "the runs there are do not separate the factors; plain means of each level's runs are "
            "shown, without shares"
        )
    fit = OLS(y, matrix).fit() if separated else None
    factors, start = [], 1
    for name, names in levels.items():
        columns = range(start, start + len(names) - 1)
        start += len(names) - 1
        own = []
        for level in names:
            has = np.array([setting[name] == level for setting in settings])
            mean = Estimate(
                float(y[has].mean()), reason="plain mean: the factors are not separated"
            )
            if fit is not None:
                point = np.zeros(matrix.shape[1])
                point[[0, *columns]] = [1.0, *code(names, level)]
                mean = predicted(fit, point)
            own.append(Level(level, int(has.sum()), mean))
        share = None
        if fit is not None:
            without = OLS(y, np.delete(matrix, columns, axis=1)).fit()
            share = float((without.ssr - fit.ssr) / (fit.centered_tss or 1.0))
        factors.append(Factor(name, own, share))
    if fit is None:
        return Effects(measure, len(y), factors, notes=notes)
    factors.sort(key=lambda factor: -(factor.share or 0.0))
    runs = Counter(tuple(setting[name] for name in levels) for setting in settings)
    counts = [runs[cell] for cell in product(*levels.values())]
    if len(set(counts)) > 1:
        notes.append(
            f"the grid is unbalanced ({min(counts)} to {max(counts)} runs of each of its "
            f"{len(counts)} combinations): means are those of the additive model with the other "
            "factors evenly mixed, and shares need not add up"
        )
    total = float(((y - y.mean()) ** 2).sum())
    if total == 0:
        notes.append("all runs have the same figure: there is no variance to share")
    rest = 1 - sum(factor.share or 0.0 for factor in factors) if total else None
    return Effects(measure, len(y), factors, rest, notes)


def predicted(fit: Any, point: Array) -> Estimate:
    """What a fitted model predicts at a row, with the 95 % interval of the mean there."""
    if fit.df_resid < 1:
        return Estimate(float(point @ fit.params), reason="no interval: as many effects as runs")
    found = fit.get_prediction(point[None])
    low, high = found.conf_int(alpha=0.05)[0]
    return Estimate(float(found.predicted_mean[0]), float(low), float(high))


def code(levels: Sequence[str], level: str) -> Array:
    """A level's row of columns that sum to zero: one-hot, and -1 throughout for the last."""
    k, last = levels.index(level), len(levels) - 1
    return np.eye(last)[k] if k < last else -np.ones(last)
