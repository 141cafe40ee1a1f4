"""What a comparison of runs says: tables, one plot of all curves, everything as plain data."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from rnncodec.comparison.compare import (
    AUC_MEASURE,
    FACTORS,
    MEASURES,
    SCORE_MEASURES,
    Comparison,
    Effects,
    Row,
    ranks,
)
from rnncodec.evaluation.curves import RDCurve
from rnncodec.evaluation.evaluate import write_json
from rnncodec.evaluation.metrics import described
from rnncodec.evaluation.plots import FILLS, Line, lines_of, paper_plot
from rnncodec.evaluation.statistics import RESAMPLES, SEED
from rnncodec.evaluation.summary import Summary, provenance, summary_json
from rnncodec.evaluation.tables import Table, latex, markdown, name_of
from rnncodec.machine.storage import write_text

FILES_WRITTEN = ("comparison.json", "table.md", "table.tex", "rd.pdf", "rd.png")


def write_comparison(
    out: Path, comparison: Comparison, *, published: Sequence[RDCurve] = ()
) -> list[Path]:
    """Write the five files (without finished runs: no plots); those that exist are replaced."""
    shown = comparison_tables(comparison)
    write_json(out / "comparison.json", plain(comparison))
    write_text(out / "table.md", markdown(shown))
    write_text(out / "table.tex", latex(shown))
    written = [out / name for name in FILES_WRITTEN]
    if comparison.summary is None:
        return written[:3]
    curves, lines = labelled_curves(comparison.rows, comparison.summary)
    paper_plot(written[3:], curves, published=published, lines=lines)
    return written


def comparison_tables(comparison: Comparison) -> list[Table]:
    """The runs, what explains their differences, and what is not there yet."""
    tables = [runs_table(comparison)] if comparison.rows else []
    if comparison.effects is not None:
        tables.append(effects_table(comparison.effects))
    if comparison.unfinished:
        rows = [[run.name, run.missing] for run in comparison.unfinished]
        notes = [] if comparison.rows else comparison.notes
        tables.append(Table("Not in the comparison", ["run", "why"], rows, notes=notes, words=2))
    return tables


def runs_table(comparison: Comparison) -> Table:
    """The paper's table."""
    rows = comparison.rows
    more = list(rows[0].settings)
    measures = sorted({row.measure for row in rows}, key=MEASURES.index)
    mixed = ["ranked by"] if len(measures) > 1 else []
    metrics = [m for m in SCORE_MEASURES if any(row.runs[0].metric == m for row in rows)]
    title = f"Runs, best first by {' and then by '.join(measures)}"
    table = Table(title, [], words=4 + len(mixed) + len(more))
    for rank, row in zip(ranks(rows), rows, strict=True):
        run = row.runs[0]
        cells = {"rank": str(rank)} | dict.fromkeys(mixed, row.measure)
        cells |= {part: getattr(run, part) for part in FACTORS} | row.settings
        cells |= {"seeds": str(len(row.runs)), AUC_MEASURE: table.cell(row.auc)}
        cells["MS-SSIM AUC nominal"] = table.cell(row.nominal)
        for metric, area in row.areas.items():
            form = f".{described(metric).digits}f"
            cells[f"{name_of(metric)} AUC [0.25, 1.5]"] = table.cell(area, form)
        for metric in metrics:
            score = row.score if run.metric == metric else None
            cells[SCORE_MEASURES[metric]] = table.cell(score)
        cells["parameters"] = f"{run.parameters:,}"
        gain = None if run.entropy == "none" else row.gain
        cells["bits saved"] = table.cell(gain, ".1%")
        table.columns = list(cells)
        table.rows.append(list(cells.values()))
    summary = comparison.summary
    images = len(summary.images.get("ms_ssim", ())) if summary else 0
    table.notes = [
        f"Intervals are 95 %: of one seed, bootstrap over the {images} images, paired across runs "
        f"({RESAMPLES} resamples, seed {SEED}); of several seeds, Student's t over seeds.",
        "AUC: mean of the curve over the range, from file bytes; nominal: area over 0.125-2.0 bpp "
        "at iteration / 8 bpp. Parameters: of the network, without the entropy model. Bits saved: "
        "1 - file bytes / raw bits at the last iteration.",
        *comparison.notes,
    ]
    return table


def effects_table(effects: Effects) -> Table:
    """Marginal means and shares of variance."""
    title = f"What explains the {effects.measure}: main effects over {effects.runs} runs"
    columns = ["factor", "level", "runs", "marginal mean", "share of variance"]
    table = Table(title, columns, words=2)
    for factor in effects.factors:
        for k, level in enumerate(factor.levels):
            share = "" if k or factor.share is None else f"{factor.share:.1%}"
            cells = [factor.name, level.name, str(level.runs), table.cell(level.mean)]
            table.rows.append([*cells, share])
    if effects.rest is not None:
        rest = f"{effects.rest:.1%}"
        table.rows.append(["more than one factor, or chance", "", "", "", rest])
    table.notes = list(effects.notes)
    if any(level.mean.low is not None for f in effects.factors for level in f.levels):
        table.notes.append(
            "Intervals are 95 %, Student's t with what the additive model leaves: interactions "
            "between settings and the chance of one seed, not of the images."
        )
    return table


def labelled_curves(
    rows: Sequence[Row], summary: Summary
) -> tuple[list[RDCurve], dict[str, Line]]:
    """All runs' curves from file bytes, under their rows' labels; and how each label is drawn.

    Seeds of one row share a label. The colour says the cell, the marker the reconstruction, its
    filling the entropy model (full is none); where that would not tell rows apart, each row has a
    look of its own.
    """
    runs = [row.runs[0] for row in rows]
    parts = [" ".join(getattr(run, part) for part in FACTORS) for run in runs]
    names = parts if len(set(parts)) == len(rows) else [row.name for row in rows]
    again = [names[:k].count(name) + 1 for k, name in enumerate(names)]
    names = [n if k == 1 else f"{n} ({k})" for n, k in zip(names, again, strict=True)]
    levels = [sorted({getattr(run, part) for run in runs}) for part in FACTORS]
    levels[2] = ["none", *(name for name in levels[2] if name != "none")]
    looks = {}
    for name, run in zip(names, runs, strict=True):
        places = [of.index(getattr(run, part)) for of, part in zip(levels, FACTORS, strict=True)]
        looks[name] = Line(places[0], places[1], places[2])
    clear = len(set(looks.values())) == len(rows) and len(levels[2]) <= len(FILLS)
    curves = [
        replace(curve, codec=name)
        for name, row in zip(names, rows, strict=True)
        for run in row.runs
        for curve in summary.of(run.name).curves.values()
    ]
    return curves, lines_of(names, looks if clear else {})


def plain(comparison: Comparison) -> dict[str, Any]:
    """Everything, for JSON."""
    rows = []
    for rank, row in zip(ranks(comparison.rows), comparison.rows, strict=True):
        run = row.runs[0]
        found = {"rank": rank, "ranked_by": row.measure, "runs": [each.name for each in row.runs]}
        found |= {"seeds": [each.seed for each in row.runs], "cell": run.cell, "recon": run.recon}
        found |= {"entropy": run.entropy, "settings": row.settings, "parameters": run.parameters}
        found |= {"auc": row.auc.plain(), "auc_nominal": row.nominal.plain()}
        found |= {f"{metric}_auc": area.plain() for metric, area in row.areas.items()}
        found |= {"score": row.score.plain(), "score_metric": run.metric}
        rows.append(found | {"bits_saved": row.gain.plain()})
    return {
        "provenance": provenance(),
        "rows": rows,
        "effects": comparison.effects.plain() if comparison.effects else None,
        "unfinished": [vars(run) for run in comparison.unfinished],
        "notes": comparison.notes,
        "merits": summary_json(comparison.summary) if comparison.summary else None,
    }
