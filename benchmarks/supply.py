"""Whether crops and metrics come fast enough: `python benchmarks/supply.py`.

The loader's images a second with one worker, from the photographs inside scikit-image and from a
cold start, against those that training the compact model consumes (gru_resnet / additive, batch
8, 64x64, T = 16). A metric of one 768x512 picture, against decoding one iteration of it. JSON to
outputs/bench/supply.json.
"""

import argparse
import itertools
import json
import time
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

import machine
import rnncodec
from coding import picture
from grid import Size, package_step
from rnncodec.data.module import DemoData
from rnncodec.evaluation import metrics
from rnncodec.storage import write_text
from timing import in_turns

OUTPUT = Path("outputs/bench/supply.json")
TRAINING = Size(batch=8, side=64, iterations=16)
METRICS = ("psnr_rgb", "ssim", "ms_ssim", "psnr_hvs", "psnr_hvs_m")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--batches", type=int, default=400)
    parser.add_argument("--out", type=Path, default=OUTPUT)
    options = parser.parse_args()
    step = in_turns({"": package_step("gru_resnet", "additive", TRAINING)}, options.repeats)[""]
    consumed = TRAINING.batch / step
    supplied = loaded_per_second(options.batches)
    result = {
        "consumed_per_second": consumed,
        "supplied_per_second": supplied,
        "supplied_over_consumed": supplied / consumed,
        "metric_over_decoding_an_iteration": metric_times(options.repeats),
        "machine": machine.describe(),
    }
    write_text(options.out, json.dumps(result, indent=2) + "\n")
    print(json.dumps(result, indent=2))


def loaded_per_second(batches: int) -> float:
    """Wall clock, with the start of the worker and the decoding of every photograph in it."""
    data = DemoData(batch_size=TRAINING.batch, crop=TRAINING.side, num_workers=1)
    data.setup()
    start = time.perf_counter()
    count = sum(len(b["index"]) for b in itertools.islice(data.train_dataloader(), batches))
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
