"""Whether crops and metrics come fast enough: `python benchmarks/supply.py`.

The loader's images a second (``FolderData``, one worker) against those that training the compact
model consumes (gru_resnet / additive, batch 8, 64x64, T = 16); the target is five times as many.
The folders of JPEGs, small photographs and those of a camera, are made in a temporary place; a
quarter of the pixels fits into ``cache_mb``. The clock starts with the worker, which has decoded
nothing yet; the files lie in the system's page cache. Besides: a metric of one 768x512 picture,
against decoding one iteration of it. JSON to outputs/bench/supply.json.
"""

import argparse
import itertools
import json
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

import machine
import rnncodec
from coding import picture
from grid import Size, package_step
from photographs import write_jpegs
from rnncodec.data.module import FolderData
from rnncodec.evaluation import metrics
from rnncodec.storage import write_text
from timing import in_turns

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
METRICS = ("psnr_rgb", "ssim", "ms_ssim", "psnr_hvs", "psnr_hvs_m")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--share", type=float, default=1.0, help="of the batches to draw")
    parser.add_argument("--out", type=Path, default=OUTPUT)
    options = parser.parse_args()
    step = in_turns({"": package_step("gru_resnet", "additive", TRAINING)}, options.repeats)[""]
    consumed = TRAINING.batch / step
    loaded = {name: load(folder, options.share) for name, folder in FOLDERS.items()}
    result = {
        "consumed_per_second": consumed,
        "loaded": loaded,
        "supplied_over_consumed": {
            name: found["images_per_second"] / consumed for name, found in loaded.items()
        },
        "metric_over_decoding_an_iteration": metric_times(options.repeats),
        "machine": machine.describe(),
    }
    write_text(options.out, json.dumps(result, indent=2) + "\n")
    print(json.dumps(result, indent=2))


def load(folder: Folder, share: float) -> dict[str, float]:
    """Crops a second from a new folder, by wall clock, and what the folder holds."""
    count, width, height, batches = folder
    pixels_mb = count * width * height * 3 / 2**20
    with tempfile.TemporaryDirectory() as root:
        size = write_jpegs(Path(root), count, width, height)
        data = FolderData(
            root,
            val_fraction=VALIDATION,
            val_images=1,
            batch_size=TRAINING.batch,
            crop=TRAINING.side,
            num_workers=1,
            cache_mb=CACHED * pixels_mb,
        )
        data.setup()
        found = loaded_per_second(data, max(1, round(share * batches)))
    return {
        "images_per_second": found,
        "photographs": count,
        "bits_per_pixel": 8 * size / (count * width * height),
        "cache_mb": CACHED * pixels_mb,
    }


def loaded_per_second(data: FolderData, batches: int) -> float:
    """With the start of the worker in it."""
    start = time.perf_counter()
    taken = itertools.islice(data.train_dataloader(), batches)
    count = sum(len(batch["index"]) for batch in taken)
    return count / (time.perf_counter() - start)


def metric_times(repeats: int) -> dict[str, float]:
    coder, image = rnncodec.load(), picture(768, 512)
    data = coder.encode(image, iterations=1)
    decoded = torch.tensor(np.asarray(coder.decode(data)))
    a, b = (t.permute(2, 0, 1)[None] for t in (torch.tensor(image), decoded))
    works: dict[str, Any] = {"decoding": lambda: coder.decode(data)}
    for name in METRICS:
        works[name] = partial(getattr(metrics, name), a, b)
    seconds = in_turns(works, repeats)
    return {name: seconds[name] / seconds["decoding"] for name in METRICS}


if __name__ == "__main__":
    main()
