"""What `model.priming` and `model.diffusion` cost a training step, in ratios within one run.

    python benchmarks/extra_runs.py                          compact gru_resnet, batch 16, T = 16
    python benchmarks/extra_runs.py --width 0.125 --steps 9  a quick look

Networks of one architecture take turns on the same images and noise; the first has no extra runs.
With OMP_NUM_THREADS=1 time is that of the processor, so that other work there matters little.
"""

import argparse

import torch

import host_info
from rnncodec.network.autoencoder import Network
from rnncodec.network.cells.gru_resnet import GRUResNet
from rnncodec.network.recon.additive import Additive
from timing import in_turns
from train_step import Step, package_loss, stepper

SETTINGS = [(0, 0), (1, 0), (3, 0), (0, 1), (1, 1)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--width", type=float, default=0.5)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--iterations", type=int, default=16)
    parser.add_argument("--steps", type=int, default=3, help="timed steps of each setting")
    options = parser.parse_args()
    names = [f"priming={p} diffusion={d}" for p, d in SETTINGS]
    pairs = zip(names, SETTINGS, strict=True)
    works = {name: build(*extra, options) for name, extra in pairs}
    seconds = in_turns(works, options.steps)
    print(host_info.describe())
    for name, median in seconds.items():
        print(f"{name}  {median:7.2f} s  {median / seconds[names[0]]:.2f} x")


def build(priming: int, diffusion: int, options: argparse.Namespace) -> Step:
    """An optimiser step, from weights, images and noise that all settings share."""
    torch.manual_seed(0)
    x = torch.rand(options.batch, 3, 32, 32) - 0.5
    noise = torch.rand(options.batch, options.iterations, 32, 2, 2)
    network = Network(
        GRUResNet,
        Additive,
        width=options.width,
        iterations=options.iterations,
        priming=priming,
        diffusion=diffusion,
    ).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    images = x.to(memory_format=torch.channels_last)
    return stepper(network, lambda: package_loss(network, images, noise))


if __name__ == "__main__":
    main()
