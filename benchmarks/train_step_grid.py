"""Training steps of every cell and reconstruction, and how a step grows.

    python benchmarks/train_step_grid.py  width 1/2, batch 8, 32x32, T = 4; outputs/bench/grid.json

Reference is the step of the same network as a textbook would run it, in float32 and NCHW without
shared weights (``float32`` of train_step.py), taken in turns with ours. Growth is that of
gru_resnet / additive when T, the batch or the pixels are four times as many, in time and in peak
memory beyond that of a process that has only loaded everything.
"""

import argparse
import itertools
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import torch

import host_info
from rnncodec.machine.storage import write_text
from rnncodec.network import cells, families, recon
from rnncodec.network.autoencoder import Network
from timing import clock_name, in_turns, peak_memory, peak_memory_of_child
from train_step import network_step

OUTPUT = Path("outputs/bench/grid.json")
WIDTH = 0.5


class Size(NamedTuple):
    """Of a training step: images, pixels along a side, iterations."""

    batch: int = 8
    side: int = 32
    iterations: int = 4


GROWN = {"T": Size(iterations=16), "batch": Size(batch=32), "pixels": Size(side=64)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--out", type=Path, default=OUTPUT)
    parser.add_argument("--memory-of", type=int, nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.memory_of:
        remember(Size(*options.memory_of))
        return
    result = {
        "settings": {"width": WIDTH, **Size()._asdict(), "repeats": options.repeats},
        "over_float32": {
            f"{cell} / {framework}": speedup(cell, framework, options.repeats)
            for cell, framework in itertools.product(families.names(cells), families.names(recon))
        },
        "growth_when_4_times": growth(options.repeats),
        "clock": clock_name(),
        "machine": host_info.describe(),
    }
    write_text(options.out, json.dumps(result, indent=2) + "\n")
    print(json.dumps(result, indent=2))


def speedup(cell: str, framework: str, repeats: int) -> float:
    """Time of the float32 step divided by that of ours."""
    works = {work: network_work(work, cell, framework, Size()) for work in ("float32", "package")}
    seconds = in_turns(works, repeats)
    return seconds["float32"] / seconds["package"]


def growth(repeats: int) -> dict[str, dict[str, float]]:
    """Factors in time and memory."""
    works = {
        name: package_step("gru_resnet", "additive", size)
        for name, size in {"base": Size(), **GROWN}.items()
    }
    seconds = in_turns(works, repeats)
    idle, base = memory(Size(batch=0)), memory(Size())
    peaks = {name: memory(size) for name, size in GROWN.items()}
    return {
        name: {
            "time": seconds[name] / seconds["base"],
            "memory": (peak - idle) / (base - idle),
            "peak_gib": peak,
        }
        for name, peak in peaks.items()
    }


def memory(size: Size) -> float:
    return peak_memory_of_child(__file__, "--memory-of", *map(str, size))


def remember(size: Size) -> None:
    """Two steps (none for an empty batch), and the peak memory."""
    if size.batch:
        step = package_step("gru_resnet", "additive", size)
        step()
        step()
    print(peak_memory())


def inputs(size: Size) -> tuple[torch.Tensor, torch.Tensor]:
    """Images and the binarizer's noise."""
    torch.manual_seed(0)
    blocks = size.side // 16
    x = torch.rand(size.batch, 3, size.side, size.side) - 0.5
    return x, torch.rand(size.batch, size.iterations, 32, blocks, blocks)


def package_step(cell: str, framework: str, size: Size) -> Callable[[], float]:
    return network_work("package", cell, framework, size)


def network_work(work: str, cell: str, framework: str, size: Size) -> Callable[[], float]:
    """A step from the same weights, images and noise whatever the ``work``."""
    x, noise = inputs(size)
    config: dict[str, Any] = {
        "cell": {"name": cell},
        "recon": {"name": framework},
        "width": WIDTH,
        "iterations": size.iterations,
    }
    return network_step(work, Network.from_config(config), x, noise)


if __name__ == "__main__":
    main()
