"""Evaluates codecs on images, and a trained model by itself: measures, writes tables and plots."""

import json
import math
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np

from rnncodec.errors import DataError
from rnncodec.evaluation import plots
from rnncodec.evaluation.baselines import Baseline
from rnncodec.evaluation.codecs import EvaluatedModel, ImageFile, file_hash
from rnncodec.evaluation.curves import (
    HIGH,
    LOW,
    NOMINAL_ITERATIONS,
    RDCurve,
    published_file,
    read_published,
)
from rnncodec.evaluation.prefixes import PrefixCodec
from rnncodec.evaluation.results import Result, write_results
from rnncodec.evaluation.runner import EvaluationResult, EvaluationSpec, run, versions
from rnncodec.evaluation.summary import Summary, summarize, summary_json
from rnncodec.evaluation.tables import latex, markdown, summary_tables
from rnncodec.geometry import BITS, blocks
from rnncodec.images.reading import Pixels, read_image, read_size
from rnncodec.images.similarity import SIGMA, WEIGHTS, WINDOW
from rnncodec.machine.storage import write_bytes, write_text

SHOWN_IMAGES = 3
CROP = 256
"""How many images the sheet of reconstructions shows, and how much of each at most, in pixels."""


def evaluate(
    spec: EvaluationSpec,
    *,
    workers: int = 1,
    progress: bool = True,
    anchor: str | None = None,
    left_out: Sequence[str] = (),
    published: Path | None = None,
    summary_file: str | None = "results.json",
) -> tuple[EvaluationResult, Summary]:
    """Measure codecs on images, and write what follows into the spec's folder.

    Written: evaluation.json (what was measured, with which versions), results.csv, results.json
    (``summary_file``; None: not), table.md, table.tex, rd.pdf and rd.png; beside them the coded
    files and the cache, from which a repeated evaluation resumes.

    Args:
        spec: codecs, images and folder.
        workers: processes; 1 stays in this one.
        progress: show a progress bar on stderr.
        anchor: the codec that areas and Bjontegaard deltas are taken against.
        left_out: why codecs that were asked for are not measured.
        published: a CSV of curves by others, or the name of a packaged set: dashed in the plots,
            and in no table.
        summary_file: where the figures go, in the folder; None: nowhere.

    Raises:
        DataError: no images, or not one that could be coded.
        ConfigError: the anchor is not among the codecs.
        StorageError: a file could not be written.
    """
    curves = read_published(published) if published else []
    measured = run(spec, workers=workers, progress=progress)
    if published is not None:
        write_bytes(spec.folder / "published.csv", published_file(published).read_bytes())
    more = {"left_out": list(left_out), "published": published and "published.csv"}
    description = describe(spec, measured) | more
    write_json(spec.folder / "evaluation.json", description)  # it marks the table as ours
    write_results(spec.folder / "results.csv", measured.results)
    summary = replace(summarize(measured.results, anchor), conventions=conventions_of(spec))
    if summary_file is not None:
        write_json(spec.folder / summary_file, summary_json(summary, fingerprints(spec)))
    write_figures(spec.folder, summary, curves)
    return measured, summary


def conventions_of(spec: EvaluationSpec) -> str:
    """One line by which a figure can be traced: what decoded and measured, and how."""
    libraries: dict[str, str | None] = dict(versions(spec.extra))
    efforts = []
    for codec in spec.codecs:
        if isinstance(codec, EvaluatedModel):
            metric = f" for {codec.effort_for}" if codec.effort_for else ""
            efforts.append(f"{codec.name} {codec.effort} steps{metric}")
        elif isinstance(codec, Baseline | PrefixCodec):
            libraries |= codec.libraries()
            if isinstance(codec, Baseline) and codec.options:
                efforts.append(f"{codec.name} {' '.join(codec.written_options())}")
    listed = ", ".join(f"{name} {version or '?'}" for name, version in libraries.items())
    return (
        f"Conventions: decoded and measured with {listed}; MS-SSIM with a {WINDOW}x{WINDOW} "
        f"Gaussian window (sigma {SIGMA}) at {len(WEIGHTS)} scales; areas over {LOW}-{HIGH} bpp, "
        f"nominal ones over 0.125-{NOMINAL_ITERATIONS / 8} bpp; effort: {'; '.join(efforts)}."
    )


def write_figures(folder: Path, summary: Summary, published: Sequence[RDCurve] = ()) -> None:
    """Write the tables and plots of a summary; those that exist are replaced, each as a whole."""
    shown = summary_tables(summary)
    write_text(folder / "table.md", markdown(shown))
    write_text(folder / "table.tex", latex(shown))
    plots.paper_plot([folder / "rd.pdf", folder / "rd.png"], summary.curves, published=published)


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write plain data, atomically; StorageError if it could not be written."""
    write_text(path, json.dumps(content, indent=2, allow_nan=False) + "\n")


def describe(spec: EvaluationSpec, measured: EvaluationResult) -> dict[str, Any]:
    """What evaluation.json holds: images (or why one is unreadable), codecs, metrics, versions.

    Of each codec also the peak memory of a process while it codes, in bytes, all of Python and
    torch included.
    """
    images: list[dict[str, Any]] = []
    for image in spec.images:
        images.append({"name": image.name, "path": str(image.path.resolve())})
        try:
            width, height = read_size(image.path)
            images[-1] |= {"width": width, "height": height, "sha256": file_hash(image.path)}
        except DataError as error:
            images[-1]["reason"] = str(error)
    codecs = {}
    for codec in spec.codecs:
        codecs[codec.name] = codec.identity() | {"peak_memory": measured.peak_memory[codec.name]}
        if isinstance(codec, EvaluatedModel):
            codecs[codec.name] |= {**codec.facts, "path": str(codec.path)}
    return {
        "images": images,
        "codecs": codecs,
        "metrics": list(spec.extra),
        "versions": versions(spec.extra),
    }


def fingerprints(spec: EvaluationSpec) -> dict[str, str]:
    """Of each of our models, by name."""
    return {
        codec.name: codec.facts["fingerprint"]
        for codec in spec.codecs
        if isinstance(codec, EvaluatedModel)
    }


def evaluate_model(
    model: EvaluatedModel,
    images: Sequence[ImageFile],
    folder: Path,
    *,
    extra: Sequence[str] = (),
    workers: int = 1,
    progress: bool = True,
) -> dict[str, Any]:
    """A run's own evaluation: :func:`evaluate` with one model, and what only a model has.

    Instead of results.json it writes summary.json, of the same schema, with sections on the
    ``model`` and its ``entropy`` coding, which it returns; and reconstructions.png.
    """
    spec = EvaluationSpec([model], images, folder, extra)
    measured, found = evaluate(spec, workers=workers, progress=progress, summary_file=None)
    coded = {row.image for row in measured.results if row.bytes is not None}
    rows = []
    for image in [image for image in images if image.name in coded][:SHOWN_IMAGES]:
        points = [row for row in measured.results if row.image == image.name]
        data = spec.coded_file(model.name, image.name).read_bytes()
        pictures = model.codec.decode_progressive(data, max_pixels=math.inf)
        crops = (centre(np.asarray(picture)) for picture in pictures)
        cells = sheet_cells(zip(points, crops, strict=True))
        rows.append(plots.Row(image.name, centre(read_image(image.path)), cells))
    plots.reconstructions(folder / "reconstructions.png", rows)
    summary = summary_json(found, fingerprints(spec)) | {"model": model.facts}
    if notes := model.codec.model.notes.get("entropy"):
        sizes = {image.name: read_size(image.path) for image in images if image.name in coded}
        summary["entropy"] = entropy_section(notes, gains(measured.results, sizes))
    write_json(folder / "summary.json", summary)  # last: it says that all is done
    return summary


def sheet_cells(points: Iterator[tuple[Result, Pixels]]) -> list[tuple[str, Pixels, str]]:
    """Title, crop and caption of iterations 1, 2, 4, 8, ... and the last; others are forgotten."""
    shown: dict[int, tuple[Result, Pixels]] = {}
    for point, crop in points:
        assert point.iteration is not None
        shown = {k: cell for k, cell in shown.items() if k & (k - 1) == 0}
        shown[point.iteration] = point, crop
    return [(f"iteration {k}", crop, caption(point)) for k, (point, crop) in shown.items()]


def caption(point: Result) -> str:
    """Rate and score of a point, in two lines."""
    similarity = point.values.get("ms_ssim")
    if similarity is None:
        return f"{point.bpp:.3f} bpp\nPSNR {point.values['psnr_rgb']:.2f} dB"
    return f"{point.bpp:.3f} bpp\nMS-SSIM {similarity:.4f}"


def centre(image: Pixels, side: int = CROP) -> Pixels:
    """A copy of the middle of an image, at most ``side`` x ``side``."""
    top, left = (max(0, length - side) // 2 for length in image.shape[:2])
    return image[top : top + side, left : left + side].copy()


def gains(results: Sequence[Result], sizes: Mapping[str, tuple[int, int]]) -> list[float]:
    """What entropy coding saves: the mean over images, for files cut after iteration 1, 2, ...

    The gain of a file of k iterations is ``1 - bytes / raw bytes``, its header counted, where raw
    is 32 bits for each iteration and 16x16 block; ``sizes`` are the images' width and height.
    """
    found: dict[int, list[float]] = defaultdict(list)
    for result in results:
        if result.iteration is not None and result.bytes is not None:
            width, height = sizes[result.image]
            raw = BITS * blocks(height) * blocks(width) / 8
            found[result.iteration].append(1 - result.bytes / (result.iteration * raw))
    return [fmean(found[iteration]) for iteration in sorted(found)]


def entropy_section(notes: dict[str, Any], by_iteration: Sequence[float]) -> dict[str, Any]:
    """The section ``entropy`` of summary.json, from the model file's notes and :func:`gains`.

    The notes have its name, bits per bit of the held-out photographs by iteration (as floats, and
    in the integers that code), and the rate lost between the two.
    """
    rates = notes["bits_per_bit"]
    columns = zip(rates["float"], rates["integer"], by_iteration, strict=True)
    return {
        "model": notes["name"],
        "bits_per_bit": fmean(rates["integer"]),
        "rate_lost_to_quantisation": notes["rate_lost_to_quantisation"],
        "gain_over_raw_bits": by_iteration[-1],
        "by_iteration": [
            {"iteration": k, "bits_per_bit_float": a, "bits_per_bit": b, "gain_over_raw_bits": g}
            for k, (a, b, g) in enumerate(columns, start=1)
        ],
    }


def entropy_sentence(section: dict[str, Any]) -> str:
    """The section in one sentence, for the log."""
    return (
        f"entropy={section['model']}: {section['bits_per_bit']:.3f} bits per bit, "
        f"{section['rate_lost_to_quantisation']:.2%} lost to integers; files "
        f"{section['gain_over_raw_bits']:.1%} smaller"
    ).replace("%", " %")
