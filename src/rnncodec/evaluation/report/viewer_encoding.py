"""Makes the pictures of one image for the viewer: ours decoded, the others' at our sizes."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from rnncodec.errors import DataError
from rnncodec.evaluation.baselines import Baseline, best_trial, smallest, trials
from rnncodec.evaluation.codecs import EvaluatedModel
from rnncodec.evaluation.image_files import Input
from rnncodec.evaluation.metrics import METRICS, defined
from rnncodec.evaluation.report.viewer_images import Exhibit, Shot, fidelity, lossless, nearly
from rnncodec.evaluation.results import Result
from rnncodec.evaluation.scorer import as_tensor
from rnncodec.images.reading import Pixels, read_image, to_rgb

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
