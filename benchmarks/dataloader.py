"""Whether crops and metrics come fast enough: `python benchmarks/dataloader.py`.

The loader's images a second (``FolderData``, one worker) against those that training the compact
model consumes (gru_resnet / additive, batch 8, 64x64, T = 16); the target is five times as many.
The folders of JPEGs, small photographs and those of a camera, are made in a temporary place; a
quarter of the pixels fits into ``cache_mb``. Step and folders take turns; the time of a folder is
that from the start of a worker, which has decoded nothing yet, to its end; the files lie in the
system's page cache. Besides: a metric of one 768x512 picture, against decoding one iteration of
it. All by the wall clock, with one thread too: a worker's processor time is not that of the
process which waits for it. JSON to outputs/bench/supply.json.
"""

import argparse
import itertools
import json
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

import host_info
import rnncodec
from coding import newest, picture
from photographs import write_jpegs
from rnncodec.data.module import FolderData
from rnncodec.evaluation import metrics
from rnncodec.machine.storage import write_text
from timing import in_turns
from train_step_grid import WIDTH, Size, package_step

OUTPUT = Path("outputs/bench/supply.json")
TRAINING = Size(batch=8, side=64, iterations=16)
VALIDATION, CACHED = 0.2, 1 / 4
"""Of a folder: what is held out of the photographs, and how many of the pixels are kept."""


class Folder(NamedTuple):
    """JPEGs of one size, and how many batches are drawn from them."""

    photographs: int
    width: int
    height: int
    batches: int


FOLDERS = {"0.15 Mpixel": Folder(48, 481, 321, 300), "12 Mpixel": Folder(16, 4000, 3000, 40)}
STEP, WALL = "step", time.perf_counter
METRICS = ("psnr_rgb", "ssim", "ms_ssim", "psnr_hvs", "psnr_hvs_m")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--share", type=float, default=1.0, help="of the batches to draw")
    parser.add_argument("--out", type=Path, default=OUTPUT)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as root:
        loaded = {name: write(Path(root, name), FOLDERS[name]) for name in FOLDERS}
        images = images_per_second(Path(root), options.share, options.repeats)
    consumed = images.pop(STEP)
    result = {
        "settings": {"width": WIDTH, **TRAINING._asdict()},
        "consumed_per_second": consumed,
        "loaded": {name: loaded[name] | {"images_per_second": images[name]} for name in FOLDERS},
        "supplied_over_consumed": {name: images[name] / consumed for name in FOLDERS},
        "metric_over_decoding_an_iteration": metric_times(options.repeats),
        "model": newest(),
        "clock": "wall clock",
        "machine": host_info.describe(),
    }
    write_text(options.out, json.dumps(result, indent=2) + "\n")
    print(json.dumps(result, indent=2))


def write(path: Path, folder: Folder) -> dict[str, float]:
    """The photographs of a folder, and what it holds then."""
    path.mkdir()
    size = write_jpegs(path, folder.photographs, folder.width, folder.height)
    return {
        "photographs": folder.photographs,
        "bits_per_pixel": 8 * size / (folder.photographs * folder.width * folder.height),
        "cache_mb": cache_mb(folder),
    }


def cache_mb(folder: Folder) -> float:
    return CACHED * folder.photographs * folder.width * folder.height * 3 / 2**20


def images_per_second(root: Path, share: float, repeats: int) -> dict[str, float]:
    """What the step consumes, and what is loaded from each folder, in turns by the wall clock."""
    counts = {STEP: TRAINING.batch}
    works: dict[str, Callable[[], object]] = {
        STEP: package_step("gru_resnet", "additive", TRAINING)
    }
    for name, folder in FOLDERS.items():
        batches = max(1, round(share * folder.batches))
        counts[name] = batches * TRAINING.batch
        works[name] = partial(draw, loader(root / name, cache_mb(folder)), batches)
    seconds = in_turns(works, repeats, WALL)
    return {name: counts[name] / spent for name, spent in seconds.items()}


def loader(path: Path, cache: float) -> FolderData:
    data = FolderData(
        str(path),
        val_fraction=VALIDATION,
        val_images=1,
        batch_size=TRAINING.batch,
        crop=TRAINING.side,
        num_workers=1,
        cache_mb=cache,
    )
    data.setup()
    return data


def draw(data: FolderData, batches: int) -> None:
    """Some batches from a worker that starts and ends here."""
    for _ in itertools.islice(data.train_dataloader(), batches):
        pass


def metric_times(repeats: int) -> dict[str, float]:
    coder, image = rnncodec.load(), picture(768, 512)
    data = coder.encode(image, iterations=1)
    decoded = torch.tensor(np.asarray(coder.decode(data)))
    a, b = (t.permute(2, 0, 1)[None] for t in (torch.tensor(image), decoded))
    works: dict[str, Callable[[], object]] = {"decoding": partial(coder.decode, data)}
    for name in METRICS:
        works[name] = partial(getattr(metrics, name), a, b)
    seconds = in_turns(works, repeats, WALL)
    return {name: seconds[name] / seconds["decoding"] for name in METRICS}


if __name__ == "__main__":
    main()
