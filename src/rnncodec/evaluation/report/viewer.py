"""The viewer's pictures: which images, which files, in what form, and how they are made."""

import io
import math
from collections.abc import Sequence
from dataclasses import dataclass
from math import inf, log10
from pathlib import Path
from statistics import fmean

import numpy as np
import torch
from PIL import Image

from rnncodec.errors import DataError
from rnncodec.evaluation.baselines import Baseline, best_trial, smallest, trials
from rnncodec.evaluation.codecs import EvaluatedModel
from rnncodec.evaluation.image_files import Input
from rnncodec.evaluation.metrics import METRICS, defined
from rnncodec.evaluation.results import Result
from rnncodec.evaluation.scorer import as_tensor
from rnncodec.images.reading import Pixels, read_image, to_rgb

WEBP_QUALITY = 93
"""Of our pictures in the page: their error against the real ones stays far below their own."""

BUDGET = 25_000_000
"""Bytes that a page may have."""

FACTS = 500
"""Bytes that it takes at most to say what a picture is."""


@dataclass(frozen=True)
class Shot:
    """A codec's picture of one image at one setting.

    Attributes:
        label: what was asked of the codec.
        size: of its file, or the prefix of it, in bytes.
        bpp, ms_ssim, psnr_rgb: as measured on the decoded 8-bit picture.
        media_type: of ``data``.
        data: a file that browsers show.
    """

    label: str
    size: int
    bpp: float
    ms_ssim: float | None
    psnr_rgb: float | None
    media_type: str
    data: bytes


@dataclass(frozen=True)
class Exhibit:
    """One image of the viewer.

    Attributes:
        image: its name.
        width, height: in pixels.
        original: itself, as lossless WebP.
        sides: codec -> its shots, by increasing size; the reference, one of our models, first.
        fidelity: PSNR in dB of our pictures as embedded, at least, against those decoded.
    """

    image: str
    width: int
    height: int
    original: bytes
    sides: dict[str, list[Shot]]
    fidelity: float = inf

    @property
    def weight(self) -> int:
        """Bytes that it takes in the page at most, where pictures are written in base64."""
        shots = [shot.data for side in self.sides.values() for shot in side]
        return sum(4 * len(data) // 3 + FACTS for data in (self.original, *shots))


def choose(results: Sequence[Result], reference: str, count: int) -> list[str]:
    """The images to show: evenly spaced from the reference's worst to its best, never by taste.

    The order is that of the mean quality over all iterations: MS-SSIM, or PSNR where an image is
    too small for that. Images that the reference could not code are left out.
    """
    rows = [row for row in results if row.codec == reference and row.psnr_rgb is not None]
    images = sorted({row.image for row in rows})
    metric = "psnr_rgb" if any(row.ms_ssim is None for row in rows) else "ms_ssim"
    score = {
        image: fmean(getattr(row, metric) for row in rows if row.image == image)
        for image in images
    }
    return spread(sorted(images, key=lambda image: (score[image], image)), count)


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


def within(exhibits: Sequence[Exhibit], budget: int) -> list[Exhibit]:
    """As many of the exhibits, evenly spaced, as the budget in bytes allows; perhaps none."""
    by_name = {exhibit.image: exhibit for exhibit in exhibits}
    for count in range(len(exhibits), 0, -1):
        kept = [by_name[name] for name in spread(list(by_name), count)]
        if sum(exhibit.weight for exhibit in kept) <= budget:
            return kept
    return []


def lossless(image: Pixels) -> bytes:
    """An image as lossless WebP."""
    return saved(image, lossless=True, quality=60)


def nearly(picture: Pixels) -> bytes:
    """A decoded picture as WebP of :data:`WEBP_QUALITY`."""
    return saved(picture, quality=WEBP_QUALITY)


def saved(picture: Pixels, **options: int) -> bytes:
    """A picture as WebP."""
    file = io.BytesIO()
    Image.fromarray(picture).save(file, "WEBP", method=4, **options)
    return file.getvalue()


def fidelity(picture: Pixels, data: bytes) -> float:
    """PSNR in dB of what a browser will show of our picture, against the picture."""
    with Image.open(io.BytesIO(data)) as opened:
        shown = np.asarray(opened.convert("RGB"), np.float64)
    error = float(np.square(shown - picture).mean())
    return 10 * log10(255**2 / error) if error else inf


MEDIA_TYPES = {"JPEG": "image/jpeg", "WEBP": "image/webp", "AVIF": "image/avif"}
"""The formats that browsers show, by Pillow's name."""


@dataclass(frozen=True)
class OurFile:
    """A model's whole file of one image.

    Attributes:
        model: the model.
        path: the file.
        rows: its rows of the table of results, one per iteration.
    """

    model: EvaluatedModel
    path: Path
    rows: Sequence[Result]


@dataclass(frozen=True)
class Task:
    """What it takes to make an exhibit; travels to worker processes.

    Attributes:
        image: the original.
        files: those of our models, the reference's first.
        baselines: what stands beside them.
    """

    image: Input
    files: Sequence[OurFile]
    baselines: Sequence[Baseline]


def shown(baselines: Sequence[Baseline]) -> list[Baseline]:
    """Of those that browsers show, the first of each format."""
    first: dict[str, Baseline] = {}
    for baseline in baselines:
        if baseline.format in MEDIA_TYPES:
            first.setdefault(baseline.format, baseline)
    return list(first.values())


def make_exhibit(task: Task) -> Exhibit:
    """Decode, encode and measure everything of one image.

    Raises:
        RNNCodecError: the image or a file of ours cannot be read.
    """
    torch.set_num_threads(1)
    image = read_image(task.image.path)
    sides, worst = {}, math.inf
    for file in task.files:
        sides[file.model.name], error = our_shots(file)
        worst = min(worst, error)
    sizes = [shot.size for shot in next(iter(sides.values()))]
    for baseline in task.baselines:
        if shots := baseline_shots(baseline, image, sizes):
            sides[baseline.name] = shots
    height, width = image.shape[:2]
    return Exhibit(task.image.name, width, height, lossless(image), sides, worst)


def our_shots(file: OurFile) -> tuple[list[Shot], float]:
    """Every iteration of a file, and the lowest fidelity in dB with which they are embedded."""
    shots, worst = [], math.inf
    pictures = file.model.codec.decode_progressive(file.path.read_bytes(), max_pixels=math.inf)
    rows = sorted(file.rows, key=lambda row: row.iteration or 0)
    for row, decoded in zip(rows, pictures, strict=True):
        picture = to_rgb(decoded)
        data = nearly(picture)
        worst = min(worst, fidelity(picture, data))
        assert row.bytes is not None, row
        assert row.bpp is not None, row
        scores = row.ms_ssim, row.psnr_rgb
        shots.append(
            Shot(f"iteration {row.iteration}", row.bytes, row.bpp, *scores, "image/webp", data)
        )
    return shots, worst


def baseline_shots(baseline: Baseline, image: Pixels, sizes: Sequence[int]) -> list[Shot]:
    """The best file for each of ``sizes``; the smallest one where some size is too small.

    None at all where the format cannot hold this image.
    """
    try:
        tried = trials(baseline, image)
    except DataError:
        return []
    best = {best_trial(tried, size) or smallest(tried) for size in sizes}
    settings = [trial.setting for trial in sorted(best, key=lambda trial: trial.bytes)]
    return [
        shot(baseline, setting, baseline.encode(image, setting), image) for setting in settings
    ]


def shot(baseline: Baseline, setting: float, data: bytes, image: Pixels) -> Shot:
    """A baseline's file with its scores."""
    height, width = image.shape[:2]
    pair = as_tensor(image), as_tensor(baseline.decode(data))
    ms_ssim, psnr_rgb = (
        METRICS[metric](*pair).item() if defined(metric, height, width) else None
        for metric in ("ms_ssim", "psnr_rgb")
    )
    bpp = 8 * len(data) / (height * width)
    media_type = MEDIA_TYPES[baseline.format]
    return Shot(baseline.label(setting), len(data), bpp, ms_ssim, psnr_rgb, media_type, data)
