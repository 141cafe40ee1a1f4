r"""Time of a training step of the paper's LSTM / additive codec, in ratios within one run.

    python benchmarks/train_step.py                          paper width, batch 32, T = 16
    python benchmarks/train_step.py --width 0.125 --steps 9  a quick look
    python benchmarks/train_step.py --reference float32 --cell gru_resnet \
        --width 0.5 --batch 8 --side 64                      the compact step
    (the same with --reference unshared)                     what sharing weights brings

A step is forward, backward, gradient clipping and Adam. The package's step is compared with a
reference from the same weights on the same images and noise, and with the rate at which this
machine multiplies bf16 matrices. The two take turns, each in a process of its own: the package
trains with another setting of malloc (:mod:`rnncodec.machine.allocator`). References are:

* ``textbook``, the independent lstm of ``reference_model.py``;
* ``float32``, for the cells that it lacks: the package's own network as a textbook would run it,
  in float32 and NCHW, without :mod:`rnncodec.network.shared_convolution`;
* ``unshared``, the package without that module and otherwise as it is.

The work of a step is three times the forward pass of the textbook (lstm) or of the float32
network (other cells), so leaving out needless work counts as speed: 2.27 TFLOP at the default
size, by ``torch.utils.flop_counter`` (which finds 2.25 in a real forward and backward pass:
nothing needs the gradients of the images and of the zero states). Peak memory is that of the
process over all steps, Adam's state included.
"""

import argparse
import json
import statistics
import subprocess
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

import host_info
from reference_model import Textbook
from rnncodec.machine.allocator import freed_memory_kept
from rnncodec.machine.devices import gains_from_bf16
from rnncodec.machine.storage import write_text
from rnncodec.network import cells, families
from rnncodec.network.autoencoder import Network
from rnncodec.network.cells import Cell
from rnncodec.network.recon.additive import Additive
from rnncodec.network.shared_convolution import shared
from rnncodec.network.unroll import unroll
from timing import clock, clock_name, peak_memory

SETTINGS = ("cell", "width", "batch", "side", "iterations")
OUTPUT = Path("outputs/bench/train_step.json")
REFERENCES = ("textbook", "float32", "unshared")

Step = Callable[[], float]
"""One optimiser step; returns the loss."""


def main() -> None:
    options = parse()
    if options.side_of:
        serve(options.side_of, options)
        return
    result = measure(options)
    report(result)
    write_text(options.out, json.dumps(result, indent=2) + "\n")
    print(f"written to {options.out}")


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--width", type=float, default=1.0)
    parser.add_argument("--cell", default="lstm", choices=families.names(cells))
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--side", type=int, default=32, help="of the images, in pixels")
    parser.add_argument("--iterations", type=int, default=16)
    parser.add_argument("--steps", type=int, default=3, help="timed steps of each side")
    parser.add_argument("--out", type=Path, default=OUTPUT)
    parser.add_argument("--reference", default="textbook", choices=REFERENCES)
    parser.add_argument("--side-of", choices=("package", *REFERENCES), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.cell != "lstm" and options.reference == "textbook":
        parser.error("the textbook has the cell lstm only; choose --reference float32")
    return options


def measure(options: argparse.Namespace) -> dict[str, Any]:
    """Everything that the report prints and the JSON holds."""
    rates = {
        "fp32": host_info.matmul_rate(torch.float32),
        "bf16": host_info.matmul_rate(torch.bfloat16),
    }
    sides = {work: Side(work, options) for work in (options.reference, "package")}
    for _ in range(options.steps):
        for side in sides.values():
            side.step()
    seconds = {work: side.seconds for work, side in sides.items()}
    median = {work: statistics.median(times) for work, times in seconds.items()}
    tflop = count_flops(options) / 1e12
    return {
        "settings": {key: getattr(options, key) for key in SETTINGS},
        "reference": options.reference,
        "package_precision": "bf16" if gains_from_bf16("cpu") else "fp32",
        "matmul_tflops": rates,
        "seconds": seconds,
        "median_seconds": median,
        "first_loss": {work: side.first_loss for work, side in sides.items()},
        "peak_memory_gib": {work: side.peak_memory for work, side in sides.items()},
        "speedup": median[options.reference] / median["package"],
        "tflop_per_step": tflop,
        "fraction_of_bf16_matmul": tflop / median["package"] / rates["bf16"],
        "clock": clock_name(),
        "machine": host_info.describe(),
    }


class Side:
    """One side, in a process that has made one untimed step and makes another when asked to."""

    def __init__(self, work: str, options: argparse.Namespace) -> None:
        sizes = [f"--{key}={getattr(options, key)}" for key in (*SETTINGS, "reference")]
        self.process = subprocess.Popen(
            [sys.executable, __file__, f"--side-of={work}", *sizes],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.seconds: list[float] = []
        self.peak_memory = 0.0
        (self.first_loss,) = self._answer()

    def step(self) -> None:
        """Time a step."""
        assert self.process.stdin is not None
        print("step", file=self.process.stdin, flush=True)
        seconds, self.peak_memory = self._answer()
        self.seconds.append(seconds)

    def _answer(self) -> list[float]:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit(f"one side ended with exit code {self.process.wait()}")
        return [float(number) for number in line.split()]


def serve(work: str, options: argparse.Namespace) -> None:
    """Print the first step's loss; then seconds of a step and GiB for each line that comes in."""
    with freed_memory_kept() if work == "package" else nullcontext():
        step = build(work, options)
        print(step(), flush=True)
        for _ in sys.stdin:
            start = clock()
            step()
            print(clock() - start, peak_memory(), flush=True)


def build(work: str, options: argparse.Namespace) -> Step:
    """The step of one side, from weights, images and noise that both sides share."""
    torch.manual_seed(0)
    blocks = options.side // 16
    x = torch.rand(options.batch, 3, options.side, options.side) - 0.5
    noise = torch.rand(options.batch, options.iterations, 32, blocks, blocks)
    textbook = Textbook(options.width)
    drop_state_biases(textbook)
    if work == "textbook":
        return stepper(textbook, lambda: textbook(x, noise))
    network = network_of(options)
    if options.cell == "lstm":
        copy_weights(textbook, network)
    return network_step(work, network, x, noise)


def network_of(options: argparse.Namespace) -> Network:
    cell = families.by_name(cells, Cell, options.cell)
    return Network(cell, Additive, width=options.width, iterations=options.iterations)


def network_step(work: str, network: Network, x: Tensor, noise: Tensor) -> Step:
    """The step of one of the package's networks, as it is or as one of the references."""
    if work == "float32":
        return stepper(network, lambda: mean_residual(network, x, noise))
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    images = x.to(memory_format=torch.channels_last)
    sharing = nullcontext if work == "unshared" else partial(shared, network)
    return stepper(network, lambda: package_loss(network, images, noise, sharing))


def package_loss(
    network: Network,
    x: Tensor,
    noise: Tensor,
    sharing: Callable[[], AbstractContextManager[None]] | None = None,
) -> Tensor:
    """The mean residual, in bf16 where the machine gains from it."""
    with autocast(), shared(network) if sharing is None else sharing():
        return mean_residual(network, x, noise)


def autocast() -> AbstractContextManager[object]:
    """To bf16 where the processor gains from it, as ``trainer.precision=auto`` trains."""
    return torch.autocast("cpu", torch.bfloat16, enabled=gains_from_bf16("cpu"))


def mean_residual(network: Network, x: Tensor, noise: Tensor) -> Tensor:
    """Mean absolute residual over all iterations."""
    steps = unroll(network, x, iterations=noise.shape[1], noise=noise)
    return torch.stack([(x - step.x_hat).abs().mean() for step in steps]).mean()


def stepper(model: nn.Module, loss_of: Callable[[], Tensor]) -> Step:
    """A whole optimiser step."""
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-4)

    def step() -> float:
        optimizer.zero_grad(set_to_none=True)
        loss = loss_of()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        return loss.item()

    return step


def drop_state_biases(textbook: Textbook) -> None:
    """Zero the second of each cell's two biases, which the package has merged into the first."""
    for cell in (*textbook.encoder_cells, *textbook.decoder_cells):
        nn.init.zeros_(cell.hidden_conv.bias)


def copy_weights(source: nn.Module, target: nn.Module) -> None:
    """Copy all convolutions, which both models have in the order of the layer table."""
    with torch.no_grad():
        for a, b in zip(convolutions(source), convolutions(target), strict=True):
            b.weight.copy_(a.weight)
            if a.bias is not None and b.bias is not None:
                b.bias.copy_(a.bias)


def convolutions(model: nn.Module) -> list[nn.Conv2d]:
    """The convolutions of a model, in the order of the layer table."""
    return [module for module in model.modules() if isinstance(module, nn.Conv2d)]


def count_flops(options: argparse.Namespace) -> int:
    """Three times the FLOPs of a forward pass in float32 (a multiply-add counts two)."""
    with torch.device("meta"):
        x = torch.empty(options.batch, 3, options.side, options.side)
        blocks = options.side // 16
        noise = torch.empty(options.batch, options.iterations, 32, blocks, blocks)
        lstm = options.cell == "lstm"
        forward = Textbook(options.width) if lstm else partial(mean_residual, network_of(options))
    with FlopCounterMode(display=False) as counter:
        forward(x, noise)
    return 3 * int(counter.get_total_flops())


def report(result: dict[str, Any]) -> None:
    print(", ".join(f"{key} {value}" for key, value in result["settings"].items()))
    print(f"{result['machine']['cpu']}, {result['machine']['torch_threads']} threads")
    for work, seconds in result["median_seconds"].items():
        plain = work in ("textbook", "float32")
        precision = "fp32" if plain else result["package_precision"]
        print(
            f"  {work:<9} {precision}  {seconds:8.3f} s (median)  "
            f"peak {result['peak_memory_gib'][work]:5.2f} GiB  "
            f"first loss {result['first_loss'][work]:.4f}"
        )
    rates = result["matmul_tflops"]
    print(f"  matmul    fp32 {rates['fp32']:.3f}, bf16 {rates['bf16']:.3f} TFLOP/s")
    print(f"speed-up over {result['reference']:<19} {result['speedup']:.2f}x")
    print(f"{result['tflop_per_step']:.3f} TFLOP per step")
    print(f"fraction of the bf16 matmul rate  {result['fraction_of_bf16_matmul']:.1%}")


if __name__ == "__main__":
    main()
