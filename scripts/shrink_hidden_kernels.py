"""A model with 3x3 hidden kernels in its decoder -> the same with 1x1 there, for ``init=``.

    python scripts/shrink_hidden_kernels.py MODEL OUTPUT --photographs FOLDER

Each hidden convolution of the decoder becomes the 1x1 convolution that comes nearest to it, by
least squares over what it is given while photographs are coded. It prints what is lost: the share
of the output's energy that the 1x1 convolution misses, beside that of the kernel's centre and of
the sum of its taps. Errors add up over the iterations, so the result needs training
(docs/experiments/0028-can-the-decoder-do-with-smaller-hidden-kernels.md).
"""

import argparse
import random
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from rnncodec.images.pixels import from_uint8
from rnncodec.models import model_file
from rnncodec.network.autoencoder import Network
from rnncodec.network.unroll import unroll

SIDE = 128
SUFFIXES = {".jpg", ".jpeg", ".png"}


class Moments:
    """Of a convolution's inputs x (C_in,) and outputs y (C_out,): sums of x x', x y' and y y."""

    def __init__(self, conv: nn.Conv2d) -> None:
        self.xx = torch.zeros(conv.in_channels, conv.in_channels, dtype=torch.float64)
        self.xy = torch.zeros(conv.in_channels, conv.out_channels, dtype=torch.float64)
        self.yy = 0.0
        conv.register_forward_hook(self.add)

    def add(self, conv: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        """Take in what the convolution was given, (B, C_in, H, W), and gave."""
        x, y = (t.movedim(1, -1).flatten(0, 2).double() for t in (inputs[0], output))
        self.xx += x.T @ x
        self.xy += x.T @ y
        self.yy += float((y * y).sum())

    def nearest(self) -> Tensor:
        """The 1x1 weights (C_in, C_out) that miss least."""
        ridge = 1e-6 * self.xx.diagonal().mean() * torch.eye(len(self.xx), dtype=torch.float64)
        nearest: Tensor = torch.linalg.solve(self.xx + ridge, self.xy)
        return nearest

    def missed(self, weights: Tensor) -> float:
        """The share of the output's energy that 1x1 weights (C_in, C_out) miss."""
        rest = self.yy - 2 * (weights * self.xy).sum() + (weights * (self.xx @ weights)).sum()
        return float(rest) / self.yy


def crops(folder: Path, count: int, seed: int) -> Tensor:
    """Crops of photographs shrunk by 0.5 to 1: uint8 (count, 3, 128, 128)."""
    draw = random.Random(seed)
    files = sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES)
    draw.shuffle(files)
    found: list[Tensor] = []
    for path in files:
        if len(found) == count:
            break
        photograph = Image.open(path).convert("RGB")
        share = draw.uniform(0.5, 1)
        width, height = (int(side * share) for side in photograph.size)
        if min(width, height) < SIDE:
            continue
        small = photograph.resize((width, height), Image.Resampling.LANCZOS)
        left, top = draw.randrange(width - SIDE + 1), draw.randrange(height - SIDE + 1)
        pixels = np.array(small.crop((left, top, left + SIDE, top + SIDE)))
        found.append(torch.from_numpy(pixels).permute(2, 0, 1))
    if len(found) < count:
        raise SystemExit(f"{folder}: {len(found)} photographs of {SIDE} pixels, need {count}")
    return torch.stack(found)


def main() -> None:
    """Read a model file, write another."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("model", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("--photographs", type=Path, required=True)
    parser.add_argument("--crops", type=int, default=48)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()

    model = model_file.load(args.model)
    network = model.network.eval()
    weights = dict(network.state_dict())
    hidden = {
        f"decoder.{name}.weight": Moments(conv)
        for name, conv in network.decoder.named_modules()
        if isinstance(conv, nn.Conv2d)
        and name.rpartition(".")[2] in ("U", "U_h")
        and conv.kernel_size[0] > 1
    }
    with torch.inference_mode():
        for batch in crops(args.photographs, args.crops, args.seed).split(8):
            for step in unroll(network, from_uint8(batch), iterations=network.iterations):
                assert step.x_hat.isfinite().all()
    for name, moments in hidden.items():
        fitted, kernel = moments.nearest(), weights[name].double()
        missed = {"least squares": fitted, "centre": kernel[:, :, 1, 1].T}
        missed["sum"] = kernel.sum((2, 3)).T
        print(name, *(f"{how} {moments.missed(w):.4f}" for how, w in missed.items()), sep="  ")
        weights[name] = fitted.T.float()[:, :, None, None].contiguous()
    small = Network.from_config({**network.config, "hidden_kernels": [1, 1, 1, 1]})
    small.load_state_dict(weights)
    model_file.save(args.output, model_file.Model(small, notes=model.notes))


if __name__ == "__main__":
    main()
