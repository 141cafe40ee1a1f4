"""Time of a training step of the paper's LSTM / additive codec, in ratios within one run.

    python benchmarks/train_step.py                          paper width, batch 32, T = 16
    python benchmarks/train_step.py --width 0.125 --steps 9  a quick look

A step is forward, backward, gradient clipping and Adam. The package's step is compared with the
textbook's (``textbook.py``, from the same weights, on the same images and noise; the two take
turns), and with the rate at which this machine multiplies bf16 matrices. The work of a step is
counted on the textbook as three times its forward pass, so leaving out needless work counts as
speed: 2.27 TFLOP at the default size, by ``torch.utils.flop_counter`` (which finds 2.25 in a real
forward and backward pass: nothing needs the gradients of the images and of the zero states).
"""

import argparse
import json
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

import machine
from rnncodec.cells.lstm import LSTM
from rnncodec.devices import autocast, gains_from_bf16
from rnncodec.network import Network
from rnncodec.recon.additive import Additive
from rnncodec.shared_convolution import shared
from rnncodec.storage import write_text
from rnncodec.unroll import unroll
from textbook import Textbook

OUTPUT = Path("outputs/bench/train_step.json")
SIDES = ("textbook", "package")

Step = Callable[[], float]
"""One optimiser step; returns the loss."""


def main() -> None:
    options = parse()
    if options.memory_of:
        build(options.memory_of, options)()
        print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
        return
    result = measure(options)
    report(result)
    write_text(options.out, json.dumps(result, indent=2) + "\n")
    print(f"written to {options.out}")


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--width", type=float, default=1.0)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--iterations", type=int, default=16)
    parser.add_argument("--steps", type=int, default=3, help="timed steps of each side")
    parser.add_argument("--out", type=Path, default=OUTPUT)
    parser.add_argument("--memory-of", choices=SIDES, help=argparse.SUPPRESS)
    return parser.parse_args()


def measure(options: argparse.Namespace) -> dict[str, Any]:
    """Everything that the report prints and the JSON holds."""
    peak = {side: peak_memory(side, options) for side in SIDES}
    rates = {
        "fp32": machine.matmul_rate(torch.float32),
        "bf16": machine.matmul_rate(torch.bfloat16),
    }
    first_loss, seconds = interleave({side: build(side, options) for side in SIDES}, options.steps)
    median = {side: statistics.median(times) for side, times in seconds.items()}
    flops = count_flops(options)
    return {
        "settings": {key: getattr(options, key) for key in ("width", "batch", "iterations")},
        "package_precision": "bf16" if gains_from_bf16("cpu") else "fp32",
        "textbook_tflop_per_step": flops / 1e12,
        "matmul_tflops": rates,
        "seconds": seconds,
        "median_seconds": median,
        "first_loss": first_loss,
        "peak_memory_gib": peak,
        "speedup_over_textbook": median["textbook"] / median["package"],
        "fraction_of_bf16_matmul": flops / 1e12 / median["package"] / rates["bf16"],
        "machine": machine.describe(),
    }


def interleave(
    steps: dict[str, Step], count: int
) -> tuple[dict[str, float], dict[str, list[float]]]:
    """One untimed step each, then ``count`` timed ones in turns: first losses, and seconds."""
    first_loss = {side: step() for side, step in steps.items()}
    seconds: dict[str, list[float]] = {side: [] for side in steps}
    for _ in range(count):
        for side, step in steps.items():
            start = time.perf_counter()
            step()
            seconds[side].append(time.perf_counter() - start)
    return first_loss, seconds


def build(side: str, options: argparse.Namespace) -> Step:
    """The step of one side, from weights, images and noise that both sides share."""
    torch.manual_seed(0)
    size = options.batch, options.iterations, 32, 2, 2
    x, noise = torch.rand(options.batch, 3, 32, 32) - 0.5, torch.rand(size)
    textbook = Textbook(options.width)
    drop_state_biases(textbook)
    if side == "textbook":
        return stepper(textbook, lambda: textbook(x, noise))
    network = Network(LSTM, Additive, width=options.width, iterations=options.iterations)
    copy_weights(textbook, network)
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    images = x.to(memory_format=torch.channels_last)
    return stepper(network, lambda: package_loss(network, images, noise))


def package_loss(network: Network, x: Tensor, noise: Tensor) -> Tensor:
    """Mean absolute residual over all iterations, in bf16 where the machine gains from it."""
    with autocast("cpu"), shared(network):
        steps = unroll(network, x, iterations=noise.shape[1], noise=noise)
        losses = [(x - step.x_hat).abs().mean() for step in steps]
    return torch.stack(losses).mean()


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
    """Three times the FLOPs of the textbook's forward pass (a multiply-add counts two)."""
    with torch.device("meta"):
        textbook = Textbook(options.width)
        x = torch.empty(options.batch, 3, 32, 32)
        noise = torch.empty(options.batch, options.iterations, 32, 2, 2)
    with FlopCounterMode(display=False) as counter:
        textbook(x, noise)
    return 3 * int(counter.get_total_flops())


def peak_memory(side: str, options: argparse.Namespace) -> float:
    """Peak resident memory of a fresh process that makes one step, in GiB."""
    sizes = [f"--{key}={getattr(options, key)}" for key in ("width", "batch", "iterations")]
    command = [sys.executable, __file__, f"--memory-of={side}", *sizes]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    unit = 1 if sys.platform == "darwin" else 1024  # bytes there, KiB elsewhere
    return int(done.stdout) * unit / 2**30


def report(result: dict[str, Any]) -> None:
    settings = ", ".join(f"{key} {value:g}" for key, value in result["settings"].items())
    print(f"lstm / additive: {settings}; {result['textbook_tflop_per_step']:.3f} TFLOP per step")
    print(f"{result['machine']['cpu']}, {result['machine']['torch_threads']} threads")
    for side in SIDES:
        precision = "fp32" if side == "textbook" else result["package_precision"]
        print(
            f"  {side:<9} {precision}  {result['median_seconds'][side]:8.3f} s (median)  "
            f"peak {result['peak_memory_gib'][side]:5.2f} GiB  "
            f"first loss {result['first_loss'][side]:.4f}"
        )
    rates = result["matmul_tflops"]
    print(f"  matmul    fp32 {rates['fp32']:.3f}, bf16 {rates['bf16']:.3f} TFLOP/s")
    print(f"speed-up over the textbook        {result['speedup_over_textbook']:.2f}x")
    print(f"fraction of the bf16 matmul rate  {result['fraction_of_bf16_matmul']:.1%}")


if __name__ == "__main__":
    main()
