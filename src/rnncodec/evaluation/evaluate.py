"""Measures a codec on images: rd.csv, summary.json, rd.png, reconstructions.png (section 4)."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from rnncodec.errors import DataError
from rnncodec.evaluation import plots
from rnncodec.evaluation.metrics import METRICS, defined
from rnncodec.evaluation.rate_distortion import (
    Point,
    mean_curve,
    summarize,
    write_points,
    write_summary,
)

Pixels: TypeAlias = NDArray[np.uint8]
"""Rounded 8-bit RGB, (H, W, 3)."""

Reconstruct: TypeAlias = Callable[[Pixels], Iterator[tuple[float, Pixels]]]
"""Image -> (bpp, reconstruction) after each iteration."""

SHOWN_IMAGES = 3
CROP = 256
"""How many images the sheet of reconstructions shows, and how much of each at most, in pixels."""


class Images(Protocol):
    """A sized series of (name, pixels), read once and in order."""

    def __len__(self) -> int: ...

    def __iter__(self) -> Iterator[tuple[str, Pixels]]: ...


def evaluate(
    reconstruct: Reconstruct,
    images: Images,
    out_dir: Path,
    *,
    progress: bool = True,
    on_point: Callable[[Point], None] | None = None,
    label: str = "this run",
    published: plots.Curves | None = None,
    more: Callable[[], dict[str, Any]] | None = None,
) -> dict[str, Any]:
    """Run ``reconstruct`` over ``images``, measure every iteration, write the four files.

    Args:
        reconstruct: the codec.
        images: what it is measured on; one image is held at a time.
        out_dir: where the files go; made if missing.
        progress: show a progress bar on stderr.
        on_point: called with each measured point, for loggers.
        label: the name of this curve in rd.png.
        published: curves to draw dashed beside it.
        more: further sections of the summary, asked for when everything is measured.

    Returns:
        The summary, as in summary.json.

    Raises:
        DataError: no images; a reconstruction that is not uint8 of its image's size.
        StorageError: a file could not be written.
    """
    if len(images) == 0:
        raise DataError("evaluation: expected at least one image, got none; check the eval folder")
    points: list[Point] = []
    rows: list[plots.Row] = []
    with progress_bar(disable=not progress) as bar:
        task = bar.add_task("evaluating", total=len(images))
        for name, image in images:
            sheet = Sheet(name, image) if len(rows) < SHOWN_IMAGES else None
            for point, picture in measure(reconstruct, name, image):
                points.append(point)
                if on_point is not None:
                    on_point(point)
                if sheet is not None:
                    sheet.add(point, picture)
            if sheet is not None:
                rows.append(sheet.row())
            bar.advance(task)
    summary = summarize(points) | (more() if more is not None else {})
    curves = {label: mean_samples(points), f"{label}, nominal rate": nominal_samples(points)}
    write_points(out_dir / "rd.csv", points)
    write_summary(out_dir / "summary.json", summary)
    plots.rd_plot(out_dir / "rd.png", curves, published=published)
    plots.reconstructions(out_dir / "reconstructions.png", rows)
    return summary


def measure(reconstruct: Reconstruct, name: str, image: Pixels) -> Iterator[tuple[Point, Pixels]]:
    """Every iteration of one image: its point, and its picture."""
    reference = as_tensor(image)
    for iteration, (bpp, picture) in enumerate(reconstruct(image), start=1):
        test = as_tensor(picture)
        values = {
            metric: function(reference, test).item() if defined(metric, *image.shape[:2]) else None
            for metric, function in METRICS.items()
        }
        yield Point(name, iteration, float(bpp), **values), picture


def nominal_samples(points: Sequence[Point]) -> dict[str, list[tuple[float, float]]]:
    """As :func:`mean_samples`, at k/8 bpp: without entropy coding, as the authors' own curve."""
    curves = {metric: mean_curve(points, metric) for metric in METRICS}
    return {
        metric: [(k / 8, value) for k, value in zip(curve.iteration, curve.value, strict=True)]
        for metric, curve in curves.items()
        if curve is not None
    }


def mean_samples(points: Sequence[Point]) -> dict[str, list[tuple[float, float]]]:
    """Metric -> mean curve, for the metrics that have one."""
    curves = {metric: mean_curve(points, metric) for metric in METRICS}
    return {metric: curve.samples for metric, curve in curves.items() if curve is not None}


def as_tensor(image: Pixels) -> torch.Tensor:
    """(H, W, 3) -> (1, 3, H, W)."""
    return torch.from_numpy(np.array(image)).movedim(-1, 0)[None]


class Sheet:
    """Collects what the sheet of reconstructions shows of one image: 1, 2, 4, 8, ... and the last.

    Only centre crops are kept.
    """

    def __init__(self, name: str, image: Pixels) -> None:
        self.name = name
        self.original = centre(image)
        self.shown: dict[int, tuple[Point, Pixels]] = {}

    def add(self, point: Point, picture: Pixels) -> None:
        """Keep this iteration, and forget the last one unless it is a power of two."""
        self.shown = {k: cell for k, cell in self.shown.items() if k & (k - 1) == 0}
        self.shown[point.iteration] = point, centre(picture)

    def row(self) -> plots.Row:
        """The sheet's row."""
        cells = [
            (f"iteration {k}", picture, caption(point))
            for k, (point, picture) in self.shown.items()
        ]
        return plots.Row(self.name, self.original, cells)


def caption(point: Point) -> str:
    """Rate and score of a point, in two lines.

    Examples:
        >>> print(caption(Point("a", 1, 0.125, 30.0, 0.9, None, 31.0, 32.0)))
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


def progress_bar(*, disable: bool) -> Progress:
    """Images done and time left."""
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("images, left:"),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        disable=disable,
    )
