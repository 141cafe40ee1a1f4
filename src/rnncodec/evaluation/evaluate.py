"""Measures a trained model: results.csv, summary.json, rd.png, reconstructions.png (section 4)."""

import math
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from rnncodec.evaluation import plots
from rnncodec.evaluation.codecs import EvaluatedModel
from rnncodec.evaluation.curves import mean_curve, summarize, write_summary
from rnncodec.evaluation.evaluate_image import EvaluationSpec
from rnncodec.evaluation.export import describe, write_description
from rnncodec.evaluation.image_files import Input
from rnncodec.evaluation.metrics import METRICS, tabled
from rnncodec.evaluation.plots import Line, lines_of, paper_plot, with_decibel_of
from rnncodec.evaluation.results import Result, write_results
from rnncodec.evaluation.runner import run
from rnncodec.geometry import BITS, blocks
from rnncodec.images.reading import read_image

Pixels: TypeAlias = NDArray[np.uint8]
"""Rounded 8-bit RGB, (H, W, 3)."""

SHOWN_IMAGES = 3
CROP = 256
"""How many images the sheet of reconstructions shows, and how much of each at most, in pixels."""


def evaluate(
    model: EvaluatedModel,
    images: Sequence[Input],
    out_dir: Path,
    *,
    workers: int = 1,
    progress: bool = True,
    label: str = "this run",
    published: plots.Curves | None = None,
) -> dict[str, Any]:
    """Code ``images`` with a model, measure every iteration, write tables and pictures.

    Besides the four files named above: evaluation.json, the coded files under ``files/``, and
    ``cache/``, from which a repeated evaluation goes on.

    Args:
        model: what is measured.
        images: what it is measured on.
        out_dir: where the files go; made if missing.
        workers: processes; 1 stays in this one.
        progress: show a progress bar on stderr.
        label: the name of this curve in rd.png.
        published: curves to draw dashed beside it.

    Returns:
        The summary, as in summary.json.

    Raises:
        DataError: no images, or not one that could be coded.
        StorageError: a file could not be written.
    """
    study = EvaluationSpec([model], images, out_dir)
    measured = run(study, workers=workers, progress=progress)
    description = describe(study, measured, left_out=[], published=None)
    results = measured.results
    summary = summarize(results) | model_sections(model, results, description["images"])
    curves = {label: mean_samples(results), f"{label}, nominal rate": nominal_samples(results)}
    write_results(out_dir / "results.csv", results)
    write_description(out_dir, description)
    others = [metric for metric in tabled() if metric != "ms_ssim"]
    small = "ms_ssim" not in curves[label]
    panels = ["psnr_rgb", *others] if small else with_decibel_of(tabled())
    lines = lines_of(curves, {f"{label}, nominal rate": Line(like=label, fill=1)})
    paper_plot([out_dir / "rd.png"], lines, published=published, panels=panels)
    plots.reconstructions(out_dir / "reconstructions.png", list(sheet_rows(study, results)))
    write_summary(out_dir / "summary.json", summary)  # last: it says that all is done
    return summary


def model_sections(
    model: EvaluatedModel, results: Sequence[Result], images: Sequence[dict[str, Any]]
) -> dict[str, Any]:
    """What the summary says beyond the curves: ``model``, ``failed`` images, ``entropy``."""
    sections: dict[str, Any] = {"model": model.facts}
    if failed := {row.image: row.reason for row in results if row.bytes is None}:
        sections["failed"] = failed
    if notes := model.codec.model.notes.get("entropy"):
        sizes = {image["name"]: (image["width"], image["height"]) for image in images
                 if "width" in image}  # fmt: skip
        sections["entropy"] = entropy_section(notes, gains(results, sizes))
    return sections


def nominal_samples(points: Sequence[Result]) -> dict[str, list[tuple[float, float]]]:
    """As :func:`mean_samples`, at k/8 bpp: without entropy coding, as the authors' own curve."""
    curves = {metric: mean_curve(points, metric) for metric in with_decibel_of(list(METRICS))}
    return {
        metric: [(k / 8, value) for k, value in zip(curve.iteration, curve.value, strict=True)]
        for metric, curve in curves.items()
        if curve is not None
    }


def mean_samples(points: Sequence[Result]) -> dict[str, list[tuple[float, float]]]:
    """Metric -> mean curve, for the metrics that have one."""
    curves = {metric: mean_curve(points, metric) for metric in with_decibel_of(list(METRICS))}
    return {metric: curve.samples for metric, curve in curves.items() if curve is not None}


def sheet_rows(study: EvaluationSpec, results: Sequence[Result]) -> Iterator[plots.Row]:
    """The rows of the sheet of reconstructions: the first images, from their kept files."""
    (model,) = study.codecs
    assert isinstance(model, EvaluatedModel)
    coded = {result.image for result in results if result.bytes is not None}
    for image in [image for image in study.images if image.name in coded][:SHOWN_IMAGES]:
        sheet = Sheet(image.name, read_image(image.path))
        points = [result for result in results if result.image == image.name]
        data = study.kept_file(model.name, image.name).read_bytes()
        pictures = model.codec.decode_progressive(data, max_pixels=math.inf)
        for point, picture in zip(points, pictures, strict=True):
            sheet.add(point, np.asarray(picture))
        yield sheet.row()


class Sheet:
    """Collects what the sheet of reconstructions shows of one image: 1, 2, 4, 8, ... and the last.

    Only centre crops are kept.
    """

    def __init__(self, name: str, image: Pixels) -> None:
        self.name = name
        self.original = centre(image)
        self.shown: dict[int, tuple[Result, Pixels]] = {}

    def add(self, point: Result, picture: Pixels) -> None:
        """Keep this iteration, and forget the last one unless it is a power of two."""
        assert point.iteration is not None
        self.shown = {k: cell for k, cell in self.shown.items() if k & (k - 1) == 0}
        self.shown[point.iteration] = point, centre(picture)

    def row(self) -> plots.Row:
        """The sheet's row."""
        cells = [
            (f"iteration {k}", picture, caption(point))
            for k, (point, picture) in self.shown.items()
        ]
        return plots.Row(self.name, self.original, cells)


def caption(point: Result) -> str:
    """Rate and score of a point, in two lines.

    Examples:
        >>> print(caption(Result("m", "t=1", "a", 1, 9, 0.125, 30.0, 0.9, *[None] * 5)))
        0.125 bpp
        PSNR 30.00 dB
    """
    score = (
        f"PSNR {point.psnr_rgb:.2f} dB"
        if point.ms_ssim is None
        else f"MS-SSIM {point.ms_ssim:.4f}"
    )
    return f"{point.bpp:.3f} bpp\n{score}"


def centre(image: Pixels, side: int = CROP) -> Pixels:
    """A copy of the middle of an image, at most ``side`` x ``side``.

    Examples:
        >>> centre(np.zeros((300, 40, 3), np.uint8)).shape
        (256, 40, 3)
    """
    top, left = (max(0, length - side) // 2 for length in image.shape[:2])
    return image[top : top + side, left : left + side].copy()


def gains(results: Sequence[Result], sizes: Mapping[str, tuple[int, int]]) -> list[float]:
    """What entropy coding saves: the mean over images, for files cut after iteration 1, 2, ...

    The gain of a file of k iterations is ``1 - bytes / raw bytes``, its header counted, where raw
    is 32 bits for each iteration and 16x16 block.

    Args:
        results: of one of our models; rows without a file are passed over.
        sizes: width and height of each image, by name.

    Examples:
        >>> rows = [
        ...     Result("a", f"t={k}", "b", k, size, *[None] * 8) for k, size in ((1, 6), (2, 16))
        ... ]
        >>> gains(rows, {"b": (32, 16)})
        [0.25, 0.0]
    """
    found: dict[int, list[float]] = defaultdict(list)
    for result in results:
        if result.iteration is not None and result.bytes is not None:
            width, height = sizes[result.image]
            raw = BITS * blocks(height) * blocks(width) / 8
            found[result.iteration].append(1 - result.bytes / (result.iteration * raw))
    return [fmean(found[iteration]) for iteration in sorted(found)]


def entropy_section(notes: dict[str, Any], by_iteration: Sequence[float]) -> dict[str, Any]:
    """The section ``entropy`` of summary.json.

    Args:
        notes: what the model file says: name, bits per bit of the held-out photographs by
            iteration (as floats, and in the integers that code), rate lost between the two.
        by_iteration: the gains of the evaluation images' files, see :func:`gains`.
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
    """The section in one sentence.

    Examples:
        >>> entropy_sentence({"model": "progressive", "bits_per_bit": 0.87,
        ...     "gain_over_raw_bits": 0.12, "rate_lost_to_quantisation": 0.001})
        'entropy=progressive: 0.870 bits per bit, 0.10 % lost to integers; files 12.0 % smaller'
    """
    return (
        f"entropy={section['model']}: {section['bits_per_bit']:.3f} bits per bit, "
        f"{section['rate_lost_to_quantisation']:.2%} lost to integers; files "
        f"{section['gain_over_raw_bits']:.1%} smaller"
    ).replace("%", " %")
