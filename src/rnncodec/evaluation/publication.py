"""Writes what a paper needs: results.json, table.md, table.tex, rd.pdf and rd.png."""

import json
import platform
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from rnncodec.evaluation.bootstrap import RESAMPLES, SEED, Estimate
from rnncodec.evaluation.measured import FILES
from rnncodec.evaluation.merits import RULES, CodecMerits, Merits
from rnncodec.evaluation.merits_table import tables
from rnncodec.evaluation.paper_plot import Line, lines_of, paper_plot
from rnncodec.evaluation.plots import Curves
from rnncodec.evaluation.tables import latex, markdown
from rnncodec.machine.storage import write_text
from rnncodec.version import __version__

FILES_WRITTEN = ("results.json", "table.md", "table.tex", "rd.pdf", "rd.png")

LIBRARIES = (
    *("bjontegaard", "matplotlib", "numpy", "pillow", "pillow-jxl-plugin", "psnr-hvsm"),
    *("scikit-image", "scipy", "torch", "torchmetrics"),
)


def write_publication(
    out: Path,
    merits: Merits,
    *,
    published: Curves | None = None,
    identities: Mapping[str, str] | None = None,
) -> list[Path]:
    """Write the five files, each as a whole or not at all; those that exist are replaced.

    Args:
        out: folder; made if missing.
        merits: what they say.
        published: curves by others: dashed in the plots, and in no table.
        identities: what each codec is exactly: a model's fingerprint, a library's version.

    Raises:
        StorageError: one could not be written.
    """
    lines = lines_of({entry.name: entry.curves for entry in merits.codecs}, ours(merits))
    shown = tables(merits)
    content = results_json(merits, identities or {})
    write_json(out / "results.json", content)
    write_text(out / "table.md", markdown(shown))
    write_text(out / "table.tex", latex(shown))
    paper_plot([out / "rd.pdf", out / "rd.png"], lines, published=published)
    return [out / name for name in FILES_WRITTEN]


def ours(merits: Merits) -> dict[str, Line]:
    """Lines of our models at nominal rates: as their files' lines, but hollow and thin."""
    return {
        entry.name: Line(like=entry.codec, fill=1)
        for entry in merits.codecs
        if entry.rates != FILES
    }


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Write plain data, atomically.

    Raises:
        StorageError: it could not be written.
    """
    write_text(path, json.dumps(content, indent=2, allow_nan=False) + "\n")


def results_json(merits: Merits, identities: Mapping[str, str]) -> dict[str, Any]:
    """Everything as plain data."""
    return {
        "provenance": provenance() | {"codecs": dict(identities)},
        "rules": dict(RULES),
        "bootstrap": {"resamples": RESAMPLES, "seed": SEED, "over": "images", "paired": True},
        "anchor": merits.anchor,
        "images": {metric: list(names) for metric, names in merits.images.items()},
        "image_count": {metric: len(names) for metric, names in merits.images.items()},
        "notes": merits.notes,
        "failures": [vars(failure) for failure in merits.failures],
        "codecs": [codec_json(entry, merits) for entry in merits.codecs],
    }


def codec_json(entry: CodecMerits, merits: Merits) -> dict[str, Any]:
    """One codec as plain data."""
    base = None if merits.anchor is None else merits.of(merits.anchor)
    return {
        "codec": entry.codec,
        "rates": entry.rates,
        "ours": entry.ours,
        "auc": plain(entry.auc),
        "auc_delta": plain(entry.auc_delta),
        "auc_nominal": plain(entry.auc_nominal),
        "bd_rate": plain(entry.bd_rate),
        "bd_metric": plain(entry.bd_metric),
        "rate_at": [
            {"metric": metric, "level": level, **found.plain()} | beside(base, metric, level)
            for metric, levels in entry.rate_at.items()
            for level, found in levels.items()
        ],
        "curves": {
            metric: [list(sample) for sample in curve] for metric, curve in entry.curves.items()
        },
    }


def beside(base: CodecMerits | None, metric: str, level: float) -> dict[str, float | None]:
    """The anchor's rate at a level, if there is an anchor."""
    if base is None or metric not in base.rate_at:
        return {}
    return {"anchor": base.rate_at[metric][level].value}


def plain(figures: Mapping[str, Estimate]) -> dict[str, Any]:
    """Figures by metric, for JSON."""
    return {metric: figure.plain() for metric, figure in figures.items()}


def provenance() -> dict[str, Any]:
    """Versions of what figures come from; libraries that are not installed are absent."""
    versions = {"python": platform.python_version()}
    for name in LIBRARIES:
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            continue
    return {"rnncodec": __version__, "versions": versions}
