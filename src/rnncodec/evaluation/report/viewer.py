"""The viewer's pictures: which images, which files, in what form, and how they are made."""

import io
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

import numpy as np
import torch
from PIL import Image

from rnncodec.errors import DataError
from rnncodec.evaluation.baselines import Baseline, best_trial, smallest, trials
from rnncodec.evaluation.codecs import EvaluatedModel, ImageFile
from rnncodec.evaluation.evaluate_image import as_tensor
from rnncodec.evaluation.metrics import METRICS, defined, psnr_rgb
from rnncodec.evaluation.results import Result
from rnncodec.images.reading import Pixels, read_image, to_rgb

WEBP_QUALITY = 93
"""Of our pictures in the page: their error against the real ones stays far below their own."""

BUDGET = 25_000_000
"""Bytes that a page may have."""

FACTS = 500
"""Bytes that it takes at most to say what a picture is."""

MEDIA_TYPES = {"JPEG": "image/jpeg", "WEBP": "image/webp", "AVIF": "image/avif"}
"""The formats that browsers show, by Pillow's name."""


@dataclass(frozen=True)
class ViewerPicture:
    """A codec's picture of one image at one setting.

    Attributes:
        label: what was asked of the codec.
        size: of its file, or the prefix of it, in bytes.
        bpp, ms_ssim, psnr_rgb: as measured on the decoded 8-bit picture.
        media_type, data: a file that browsers show.
    """

    label: str
    size: int
    bpp: float
    ms_ssim: float | None
    psnr_rgb: float | None
    media_type: str
    data: bytes


@dataclass(frozen=True)
class ViewerImage:
    """One image of the viewer.

    Attributes:
        image: its name.
        width, height: in pixels.
        original: itself, as lossless WebP.
        sides: codec -> its pictures, by increasing size; the reference, one of our models, first.
        fidelity: PSNR in dB of our pictures as embedded, at least, against those decoded.
    """

    image: str
    width: int
    height: int
    original: bytes
    sides: dict[str, list[ViewerPicture]]
    fidelity: float = math.inf

    @property
    def weight(self) -> int:
        """Bytes that it takes in the page at most, where pictures are written in base64."""
        pictures = [picture.data for side in self.sides.values() for picture in side]
        return sum(4 * len(data) // 3 + FACTS for data in (self.original, *pictures))


@dataclass(frozen=True)
class ModelFile:
    """A model's whole file of one image, and its rows of the table: one per iteration."""

    model: EvaluatedModel
    path: Path
    rows: Sequence[Result]


@dataclass(frozen=True)
class ViewerTask:
    """What it takes to make an image of the viewer; travels to worker processes.

    Attributes:
        image: the original.
        files: those of our models, the reference's first.
        baselines: what stands beside them.
    """

    image: ImageFile
    files: Sequence[ModelFile]
    baselines: Sequence[Baseline]


def choose(results: Sequence[Result], reference: str, count: int) -> list[str]:
    """The images to show: evenly spaced from the reference's worst to its best, never by taste.

    The order is that of the mean quality over all iterations: MS-SSIM, or PSNR where an image is
    too small for that. Images that the reference could not code are left out.
    """
    rows = [row for row in results if row.codec == reference and "psnr_rgb" in row.values]
    metric = "ms_ssim" if all("ms_ssim" in row.values for row in rows) else "psnr_rgb"
    score = {
        image: fmean(row.values[metric] for row in rows if row.image == image)
        for image in {row.image for row in rows}
    }
    return spread(sorted(score, key=lambda image: (score[image], image)), count)


def spread(items: Sequence[str], count: int) -> list[str]:
    """``count`` of the items, evenly spaced, both ends among them.

    Examples:
        >>> spread("abcdefg", 3), spread("ab", 6), spread("abc", 1)
        (['a', 'd', 'g'], ['a', 'b'], ['b'])
    """
    if count >= len(items):
        return list(items)
    if count == 1:
        return [items[len(items) // 2]]
    return [items[round(k * (len(items) - 1) / (count - 1))] for k in range(count)]


def within(images: Sequence[ViewerImage], budget: int) -> list[ViewerImage]:
    """As many of the images, evenly spaced, as the budget in bytes allows; perhaps none."""
    by_name = {image.image: image for image in images}
    for count in range(len(images), 0, -1):
        chosen = [by_name[name] for name in spread(list(by_name), count)]
        if sum(image.weight for image in chosen) <= budget:
            return chosen
    return []


def as_webp(picture: Pixels, *, lossless: bool = False) -> bytes:
    """A picture as WebP, without loss or of :data:`WEBP_QUALITY`."""
    file = io.BytesIO()
    quality = 60 if lossless else WEBP_QUALITY
    Image.fromarray(picture).save(file, "WEBP", method=4, lossless=lossless, quality=quality)
    return file.getvalue()


def fidelity(picture: Pixels, data: bytes) -> float:
    """PSNR in dB of what a browser will show of our picture, against the picture."""
    with Image.open(io.BytesIO(data)) as opened:
        shown = np.asarray(opened.convert("RGB"))
    return psnr_rgb(as_tensor(picture), as_tensor(shown)).item()


def make_viewer_image(task: ViewerTask) -> ViewerImage:
    """Decode, encode and measure everything of one image.

    Raises:
        RNNCodecError: the image or a file of ours cannot be read.
    """
    torch.set_num_threads(1)
    image = read_image(task.image.path)
    sides, worst = {}, math.inf
    for file in task.files:
        sides[file.model.name], error = model_pictures(file)
        worst = min(worst, error)
    sizes = [picture.size for picture in next(iter(sides.values()))]
    for baseline in task.baselines:
        if pictures := baseline_pictures(baseline, image, sizes):
            sides[baseline.name] = pictures
    height, width = image.shape[:2]
    original = as_webp(image, lossless=True)
    return ViewerImage(task.image.name, width, height, original, sides, worst)


def model_pictures(file: ModelFile) -> tuple[list[ViewerPicture], float]:
    """Every iteration of a file, and the lowest fidelity in dB with which they are embedded."""
    found, worst = [], math.inf
    decoded = file.model.codec.decode_progressive(file.path.read_bytes(), max_pixels=math.inf)
    rows = sorted(file.rows, key=lambda row: row.iteration or 0)
    for row, picture in zip(rows, map(to_rgb, decoded), strict=True):
        data = as_webp(picture)
        worst = min(worst, fidelity(picture, data))
        assert row.bytes is not None, row
        assert row.bpp is not None, row
        scores = row.values.get("ms_ssim"), row.values.get("psnr_rgb")
        label = f"iteration {row.iteration}"
        found.append(ViewerPicture(label, row.bytes, row.bpp, *scores, "image/webp", data))
    return found, worst


def baseline_pictures(
    baseline: Baseline, image: Pixels, sizes: Sequence[int]
) -> list[ViewerPicture]:
    """The best file for each of ``sizes``; the smallest one where some size is too small.

    None at all where the format cannot hold this image.
    """
    try:
        tried = trials(baseline, image)
    except DataError:
        return []
    height, width = image.shape[:2]
    best = {best_trial(tried, size) or smallest(tried) for size in sizes}
    found = []
    for trial in sorted(best, key=lambda trial: trial.bytes):
        data = baseline.encode(image, trial.setting)
        pair = as_tensor(image), as_tensor(baseline.decode(data))
        ms_ssim, psnr = (
            METRICS[metric](*pair).item() if defined(metric, height, width) else None
            for metric in ("ms_ssim", "psnr_rgb")
        )
        label, bpp = baseline.label(trial.setting), 8 * len(data) / (height * width)
        media_type = MEDIA_TYPES[baseline.format]
        found.append(ViewerPicture(label, len(data), bpp, ms_ssim, psnr, media_type, data))
    return found
