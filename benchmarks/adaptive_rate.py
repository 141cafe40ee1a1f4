"""What a spatially adaptive bit rate would save: bytes at equal quality, with and without.

    python benchmarks/adaptive_rate.py photo1.jpg photo2.jpg --rule slope-ssim --threshold 0.01

From some iteration on a position sends nothing (Johnston et al. 2018): the decoder network gets a
code of zeros there and, with `--hold`, what it then says about the block is not added to the
picture. This study runs the real network and the real entropy model in a closed loop on the middle
256x256 pixels of each picture and counts the bits of the positions that still send, those of the
mask (one flag for each position that sent before, adaptive probabilities from three neighbours),
and 38 + 7 T bytes of a file; it writes none. Rules that end a position, by the distortion D of its
block (`mse`: squared error; `ssim`: squared error over the block's variance):

    target-D   when D is below the threshold
    slope-D    when without a mask D would not fall by the threshold per iteration any more

For the entropy model a position that sends nothing has the bits that it thought likelier. Bytes
without are those of the unmasked curve, interpolated at the quality with.
"""

import argparse
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from rnncodec import similarity
from rnncodec.bitstream import position_order
from rnncodec.cells import State
from rnncodec.codec import Codec, load
from rnncodec.entropy.wavefront import Wavefront
from rnncodec.geometry import BLOCK
from rnncodec.pixels import from_uint8, to_uint8
from rnncodec.transform import to_bits
from rnncodec.unroll import Sender, decoder_runs, repeat

SIDE = 256
BITS = 32
FIXED, PER_ITERATION = 38, 7
FLAT = 0.0009
"""Keeps flat blocks from having an infinite distortion: 0.03 squared, as in SSIM."""
RULES = ("target-mse", "target-ssim", "slope-mse", "slope-ssim")

Map = NDArray[np.float64]


@dataclass
class Curve:
    """Of B pictures by iteration, (T, B) each; `distortion` (T, B, h, w)."""

    size: Map
    psnr: Map
    ms_ssim: Map
    sending: Map
    distortion: Map


def main() -> None:
    options = parse()
    codec = load(options.model)
    reference = torch.stack([middle(path) for path in options.pictures])
    never = np.full((options.iterations, 1, 1, 1), np.inf)
    plain = code(codec, reference, options, rule=options.rule, judged=never)
    judged = slopes(plain.distortion) if options.rule.startswith("slope") else None
    masked = code(codec, reference, options, rule=options.rule, judged=judged)
    print(f"{options.rule} {options.threshold:g} hold={options.hold}")
    print("  t  sending  bytes  MS-SSIM    PSNR  bytes at equal MS-SSIM, at equal PSNR")
    for t in range(options.iterations):
        gains = [saved(plain, masked, t, measure) for measure in ("ms_ssim", "psnr")]
        print(
            f"{t + 1:3} {masked.sending[t].mean():8.2f} {masked.size[t].mean():6.0f} "
            f"{masked.ms_ssim[t].mean():8.4f} {masked.psnr[t].mean():7.2f}  "
            + "  ".join(f"{g.mean():+6.1%} ({g.min():+.1%} .. {g.max():+.1%})" for g in gains)
        )


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("pictures", nargs="+", help="of at least 256x256 pixels")
    parser.add_argument("--model", default="compact-0")
    parser.add_argument("--iterations", type=int, default=8)
    parser.add_argument("--rule", choices=RULES, default="slope-ssim")
    parser.add_argument("--threshold", type=float, default=0.01)
    parser.add_argument("--hold", action=argparse.BooleanOptionalAction, default=True)
    return parser.parse_args()


def middle(path: str) -> Tensor:
    """The middle of a picture, uint8 (3, 256, 256)."""
    image = Image.open(path).convert("RGB")
    left, top = (image.width - SIDE) // 2, (image.height - SIDE) // 2
    pixels = np.array(image.crop((left, top, left + SIDE, top + SIDE)))
    return torch.from_numpy(pixels).permute(2, 0, 1)


def slopes(distortion: Map) -> Map:
    """How much each iteration would still bring, at best: (T, B, h, w) -> the same shape."""
    best = np.zeros_like(distortion)
    for t, now in enumerate(distortion[:-1]):
        steps = np.arange(1, len(distortion) - t).reshape(-1, 1, 1, 1)
        best[t] = ((now - distortion[t + 1 :]) / steps).max(axis=0)
    return best


@torch.inference_mode()
def code(
    codec: Codec, reference: Tensor, options: argparse.Namespace, *, rule: str, judged: Map | None
) -> Curve:
    """Code all pictures; a position ends where `judged`, or its distortion, is too small."""
    network, entropy = codec.model.network, codec.model.entropy
    assert entropy is not None, "this study counts entropy-coded bits"
    x = from_uint8(reference)
    size = (SIDE // BLOCK, SIDE // BLOCK)
    front = Wavefront(entropy, size, iterations=options.iterations, batch=len(x))
    sender = Sender(network, x)
    x_hat: Tensor | None = None
    states: list[State] | None = None
    sending, bits, rows = np.ones((len(x), *size), bool), np.zeros(len(x)), []
    for t in range(options.iterations):
        gain = network.recon.gain(t, x_hat)
        sent = sender(t, x_hat, gain)
        bits += payload(front, to_bits(sent), sending)
        mask = torch.from_numpy(sending)[:, None].float()
        runs = decoder_runs(network, t)
        decoded, states = repeat(network.decoder, sent * mask, states, runs=runs)
        if options.hold and x_hat is not None:
            decoded = decoded * mask.repeat_interleave(BLOCK, 2).repeat_interleave(BLOCK, 3)
        x_hat = network.recon.combine(x_hat, decoded, gain)
        distortion = block_distortion(x, x_hat, rule)
        rows.append(scores(reference, x_hat, bits / 8 + FIXED + PER_ITERATION * (t + 1)))
        rows[-1] |= {"sending": sending.mean((1, 2)), "distortion": distortion}
        ended = sending & ((distortion if judged is None else judged[t]) < options.threshold)
        bits += [flag_bits(*pair) for pair in zip(sending, ended, strict=True)]
        sending = sending & ~ended
    return Curve(**{key: np.stack([row[key] for row in rows]) for key in rows[0]})


def payload(front: Wavefront, bits: NDArray[np.uint8], sending: NDArray[np.bool_]) -> Map:
    """Advance the entropy model by an iteration of bits (B, h, w, 32): what the sent ones cost."""
    order = position_order(*sending.shape[1:])
    ordered = bits.reshape(len(bits), -1, BITS)[:, order]
    sent, cost, at = sending.reshape(len(bits), -1)[:, order], np.zeros(len(bits)), 0

    def choose(t: int, chances: NDArray[np.int32]) -> NDArray[np.uint8]:
        nonlocal at
        here = slice(at, at := at + chances.shape[1])
        active = sent[:, here, None]
        chosen = np.where(active, ordered[:, here], chances >= 1 << 15).astype(np.uint8)
        share = np.where(chosen, chances, (1 << 16) - chances) / (1 << 16)
        cost[:] -= (np.log2(share) * active).sum(axis=(1, 2))
        return chosen

    front.advance(front.done + 1, choose)
    return cost


def flag_bits(sending: NDArray[np.bool_], ended: NDArray[np.bool_]) -> float:
    """Cost of saying which of the positions that send (h, w) end: adaptive, three neighbours."""
    over = np.pad(~sending | ended, 1)
    counts, total = np.full((4, 2), 0.4), 0.0
    for y, x in np.argwhere(sending):
        context = int(over[y + 1, x]) + int(over[y, x + 1]) + int(over[y, x + 2])
        total -= np.log2(counts[context, int(ended[y, x])] / counts[context].sum())
        counts[context, int(ended[y, x])] += 1
    return total


def block_distortion(x: Tensor, x_hat: Tensor, rule: str) -> Map:
    """Mean squared error of each block, of pixels in [-0.5, 0.5]; (B, h, w)."""
    blocks = (len(x), 3, x.shape[2] // BLOCK, BLOCK, x.shape[3] // BLOCK, BLOCK)
    error = (x - x_hat.clamp(-0.5, 0.5)).square().view(blocks).mean((1, 3, 5))
    if rule.endswith("ssim"):
        error = error / (x.view(blocks).var((3, 5)).mean(1) + FLAT)
    return error.double().numpy()


def scores(reference: Tensor, x_hat: Tensor, size: Map) -> dict[str, Map]:
    """Size and quality of the 8-bit pictures, (B,) each."""
    a, b = reference.double(), to_uint8(x_hat).double()
    psnr = 10 * torch.log10(255**2 / (a - b).square().mean((1, 2, 3)))
    ms_ssim = similarity.multi_scale(a, b)
    return {"size": size.copy(), "psnr": psnr.numpy(), "ms_ssim": ms_ssim.numpy()}


def saved(plain: Curve, masked: Curve, t: int, measure: str) -> Map:
    """Bytes with the mask over bytes without at the same quality, less 1; (B,)."""
    found = []
    pairs = zip(getattr(masked, measure)[t], masked.size[t], strict=True)
    for b, (quality, size) in enumerate(pairs):
        rising = np.maximum.accumulate(getattr(plain, measure)[:, b])
        without = np.interp(quality, rising, plain.size[:, b])
        found.append(size / without - 1 if quality <= rising[-1] else np.nan)
    return np.array(found)


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
