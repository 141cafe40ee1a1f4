"""Writes what explains an evaluation (evaluation.json) and what a paper needs of it."""

import json
import platform
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from rnncodec.errors import DataError
from rnncodec.evaluation.codecs import EvaluatedModel
from rnncodec.evaluation.evaluate_image import EvaluationSpec, versions
from rnncodec.evaluation.image_files import Input, file_hash
from rnncodec.evaluation.plots import Curves, Line, lines_of, paper_plot
from rnncodec.evaluation.rd_points import FILES
from rnncodec.evaluation.runner import EvaluationResult
from rnncodec.evaluation.statistics import RESAMPLES, SEED, Estimate
from rnncodec.evaluation.summary import RULES, CodecMerits, Merits
from rnncodec.evaluation.tables import latex, markdown, tables
from rnncodec.images.reading import read_size
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


NAME = "evaluation.json"


def describe(
    study: EvaluationSpec,
    measured: EvaluationResult,
    *,
    left_out: Sequence[str],
    published: str | None,
) -> dict[str, Any]:
    """What evaluation.json holds.

    ``images``: name, path, width, height, SHA-256 (an unreadable one has a reason instead).
    ``codecs`` by name: for our models what the model file says and its path, for the others
    settings and libraries; and the peak memory of a process while it codes, in bytes, all of
    Python and torch included. ``left_out``: codecs that this installation lacks. ``published``:
    the file of published curves in the folder, if one was given.
    """
    return {
        "images": [describe_image(image) for image in study.images],
        "codecs": {
            codec.name: {
                **codec.identity(),
                **(codec.facts if isinstance(codec, EvaluatedModel) else {}),
                **({"path": str(codec.path)} if isinstance(codec, EvaluatedModel) else {}),
                "peak_memory": measured.peak_memory[codec.name],
            }
            for codec in study.codecs
        },
        "left_out": list(left_out),
        "published": published,
        "metrics": list(study.further),
        "versions": versions(study.further),
    }


def describe_image(image: Input) -> dict[str, Any]:
    """One image file as plain data."""
    path = str(image.path.resolve())
    try:
        width, height = read_size(image.path)
        digest = file_hash(image.path)
    except DataError as error:
        return {"name": image.name, "path": path, "reason": str(error)}
    return {
        "name": image.name,
        "path": path,
        "width": width,
        "height": height,
        "sha256": digest,
    }


def write_description(folder: Path, description: Mapping[str, Any]) -> None:
    """Write evaluation.json, atomically.

    Raises:
        StorageError: it could not be written.
    """
    write_text(folder / NAME, json.dumps(description, indent=2) + "\n")
