"""Training runs side by side: the paper's table, and which setting explains the differences."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import product
from math import inf
from statistics import fmean, stdev

from scipy import stats

from rnncodec.comparison.factors import Effects, main_effects
from rnncodec.comparison.runs import Run, Unfinished
from rnncodec.evaluation.curves import FILES, NOMINAL
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
        runs: at least one.
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
class Comparison:
    """What `rnncodec compare` says.

    Attributes:
        rows: best first among those that are ranked by the same: by MS-SSIM AUC, or where it is
            absent by the selection score, each of its metrics by itself.
        summary: of all runs, by their names.
        effects: what explains the AUC, or where not every run has one the score, of the metric
            that most runs have.
        unfinished: runs that are not in the table, and why.
        notes: what a reader has to know.
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
    taken, aside = same_images(runs)
    left = [*unfinished, *aside]
    if not taken:
        return Comparison([], None, None, left, ["no run is finished yet"])
    results = [replace(result, codec=run.name) for run in taken for result in run.results]
    summary = summarize(results)
    varying = varying_settings(taken)
    rows = [build_row(group, varying, summary) for group in by_all_but_seed(taken, varying)]
    rows.sort(key=order)
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


def order(row: Row) -> tuple[int, float, float]:
    """Sorts rows: those ranked by the same together, the best of them first, absent ones last."""
    auc, score = (-inf if each.value is None else each.value for each in (row.auc, row.score))
    return MEASURES.index(row.measure), -auc, -score


def ranks(rows: Sequence[Row]) -> list[int]:
    """The rank of each of the ordered rows, among those that are ranked by the same."""
    measures = [row.measure for row in rows]
    return [measures[: k + 1].count(measure) for k, measure in enumerate(measures)]


def same_images(runs: Sequence[Run]) -> tuple[list[Run], list[Unfinished]]:
    """Runs measured on the images that most runs have, or on half of them; and the others."""
    if not runs:
        return [], []
    usual = Counter(run.images for run in runs).most_common(1)[0][0]
    taken, aside = [], []
    for run in runs:
        common = len(run.images & usual)
        if 2 * common >= len(usual):
            taken.append(run)
        else:
            what = f"{len(run.images)} images, of which {common} are theirs"
            reason = f"measured on other images than most runs ({what})"
            aside.append(Unfinished(run.name, reason))
    return taken, aside


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
        key: tuple[object, ...] = (run.cell, run.recon, run.entropy, run.metric)
        key += tuple(run.settings.get(name, "") for name in varying)
        again = 0
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
    """The figure of one seed as it is; the mean of several with Student's 95 % interval.

    Examples:
        >>> over_seeds([Estimate(1.0), Estimate(3.0)])
        Estimate(value=2.0, low=-10.7..., high=14.7..., reason='', range=None)
    """
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
    """Main effects on the AUC, or where a run has none, on the selection score."""
    areas = [summary.of(run.name).auc.get("ms_ssim", Estimate(None)).value for run in runs]
    if None not in areas:
        return effects_on(AUC_MEASURE, runs, varying, areas)
    scored = [run for run in runs if run.metric is not None]
    counts = Counter(run.metric for run in scored)
    metric = max(SCORE_MEASURES, key=lambda each: counts[each])
    same = [run for run in scored if run.metric == metric]
    effects = effects_on(SCORE_MEASURES[metric], same, varying, [run.score for run in same])
    if len(same) < len(scored):
        others = f"{len(scored) - len(same)} of {len(scored)} runs"
        effects.notes.append(f"{others} are left out: their score is of another metric")
    return effects


def effects_on(
    measure: str, runs: Sequence[Run], varying: Sequence[str], figures: Sequence[float | None]
) -> Effects:
    """Main effects of cell, recon, entropy and what else varies by itself.

    A setting in which runs of the same cell, recon and entropy model agree, as the steps of a
    comparison at equal cost, has no effect of its own.
    """
    values: dict[tuple[str, ...], set[str]] = {}
    for run, name in product(runs, varying):
        parts = (name, *(getattr(run, factor) for factor in FACTORS))
        values.setdefault(parts, set()).add(run.settings.get(name, ""))
    free = {parts[0] for parts, found in values.items() if len(found) > 1}
    follows = [name for name in varying if name not in free]
    settings = [
        {name: getattr(run, name) for name in FACTORS}
        | {name: run.settings.get(name, "") for name in varying if name in free}
        for run in runs
    ]
    effects = main_effects(measure, settings, [figure or 0.0 for figure in figures])
    if follows:
        note = f"{', '.join(follows)}: given by {', '.join(FACTORS)}, whose effects include it"
        effects.notes.append(note)
    return effects
