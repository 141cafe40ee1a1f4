"""Whether the fast training step learns as the plain one: `python benchmarks/loss_curve.py`.

Three trainings of the compact gru_resnet / additive from the same weights on the same crops of the
photographs inside scikit-image: float32 by the book (no sharing of weights), the same with other
binarizer noise, and what the package does (bf16 where it pays, shared weights). The distance of
the last to the first should be that of the second. JSON and a picture to outputs/bench/.
"""

import argparse
import itertools
import json
import statistics
from contextlib import nullcontext
from pathlib import Path

import matplotlib.pyplot as plt
import torch

import host_info
from rnncodec.data.module import DemoData
from rnncodec.geometry import BITS
from rnncodec.images.pixels import from_uint8
from rnncodec.machine.storage import write_text
from rnncodec.network.autoencoder import Network
from rnncodec.network.cells.gru_resnet import GRUResNet
from rnncodec.network.recon.additive import Additive
from rnncodec.network.shared_convolution import shared
from rnncodec.network.unroll import unroll
from rnncodec.training.codec_module import uniform
from train_step import autocast

OUTPUT = Path("outputs/bench/loss_curve.json")
WIDTH, ITERATIONS, CROP = 0.5, 8, 32


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=500)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--lr", type=float, default=1e-3)
    parser.add_argument("--out", type=Path, default=OUTPUT)
    options = parser.parse_args()
    curves = {
        "plain": losses(options, fast=False, seed=0),
        "plain_other_noise": losses(options, fast=False, seed=1),
        "package": losses(options, fast=True, seed=0),
    }
    quarter = options.steps // 4
    result = {
        "settings": {"width": WIDTH, "T": ITERATIONS, "crop": CROP} | {"batch": options.batch},
        "mean_loss_of_quarters": {
            name: [statistics.mean(curve[k * quarter : (k + 1) * quarter]) for k in range(4)]
            for name, curve in curves.items()
        },
        "mean_distance_from_plain": {
            name: statistics.mean(abs(a - b) for a, b in zip(curve, curves["plain"], strict=True))
            for name, curve in curves.items()
        },
        "machine": host_info.describe(),
    }
    print(json.dumps(result, indent=2))
    write_text(options.out, json.dumps(result | {"curves": curves}, indent=2) + "\n")
    draw(curves, options.out.with_suffix(".png"))


def draw(curves: dict[str, list[float]], path: Path) -> None:
    """The three curves, as means over ten steps."""
    figure, axes = plt.subplots(figsize=(6.4, 3.2), layout="constrained")
    labels = ("float32, by the book", "the same, other noise", "this package")
    for curve, label in zip(curves.values(), labels, strict=True):
        means = [statistics.mean(curve[k : k + 10]) for k in range(0, len(curve), 10)]
        axes.plot(range(10, len(curve) + 10, 10), means, label=label, linewidth=1)
    axes.set(xlabel="step", ylabel="L1, mean over T = 8", yscale="log")
    axes.legend()
    figure.savefig(path, dpi=110)


def losses(options: argparse.Namespace, *, fast: bool, seed: int) -> list[float]:
    """The loss of each step."""
    torch.manual_seed(0)
    network = Network(GRUResNet, Additive, width=WIDTH, iterations=ITERATIONS)
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimizer = torch.optim.Adam(network.parameters(), lr=options.lr)
    data = DemoData(batch_size=options.batch, crop=CROP)
    data.setup()
    curve = []
    for batch in itertools.islice(data.train_dataloader(), options.steps):
        x = from_uint8(batch["image"])
        draws = uniform(seed, batch["index"], (ITERATIONS, BITS, CROP // 16, CROP // 16))
        with (
            autocast() if fast else nullcontext(),
            shared(network) if fast else nullcontext(),
        ):
            steps = unroll(network, x, iterations=ITERATIONS, noise=draws)
            loss = torch.stack([(x - step.x_hat).abs().mean() for step in steps]).mean()
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        curve.append(loss.item())
    return curve


if __name__ == "__main__":
    main()
