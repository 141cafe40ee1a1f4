"""Encoding and decoding against the textbook, to part of the iterations, and as images grow.

    python benchmarks/coding.py         compact lstm / additive; JSON to outputs/bench/coding.json

All in float32. Textbook and package have the same weights and take turns on one 768x512 image, of
four iterations and of sixteen (the latter timed once, after one that is not); bytes, entropy
coding and files are left out here (benchmarks/entropy.py has them). A file for a rate, by the
newest packaged model and with everything in it, is set against one for the number of iterations
which that rate turns out to have room for. Growth is of
the whole packaged codec with its entropy model, three iterations (the first has no state yet),
32x32 to 8 Mpixel (tiled over 2 Mpixel), with the peak memory of a process that only encodes and
decodes; batches are of images of 256x256.
"""

import argparse
import json
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

import host_info
import rnncodec
from photographs import photograph
from reference_model import Textbook
from rnncodec import models
from rnncodec.bitstream import Header, info
from rnncodec.codec import Codec
from rnncodec.coding.transform import Synthesizer, Transform
from rnncodec.images.pixels import to_uint8
from rnncodec.machine.storage import write_text
from rnncodec.network.autoencoder import Network
from rnncodec.network.cells.lstm import LSTM
from rnncodec.network.recon.additive import Additive
from timing import clock_name, in_turns, peak_memory, peak_memory_of_child
from train_step import copy_weights, drop_state_biases

OUTPUT = Path("outputs/bench/coding.json")
WIDTH, SIDES = 0.5, (768, 512)
GROWTH = ((32, 32), (256, 256), (768, 512), (2048, 1024), (2048, 2048), (3264, 2448))
"""Width and height."""
GROWTH_ITERATIONS = 3
FEW = 4
"""Iterations that are not too long to be repeated."""
RATE = 0.5
"""Bits per pixel."""
BATCHES = (1, 2, 4, 8)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--iterations", type=int, nargs="+", default=[4, 16])
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--out", type=Path, default=OUTPUT)
    parser.add_argument("--memory-of", type=int, nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.memory_of:
        there_and_back(rnncodec.load(), picture(*options.memory_of))
        print(peak_memory())
        return
    result = {
        "settings": {"width": WIDTH, "sides": SIDES},
        "against_textbook": {
            str(count): against_textbook(count, options.repeats if count <= FEW else 1)
            for count in options.iterations
        },
        "to_rate": to_rate(options.repeats),
        "growth": growth(options.repeats),
        "batches": batches(options.repeats),
        "model": newest(),
        "clock": clock_name(),
        "machine": host_info.describe(),
    }
    write_text(options.out, json.dumps(result, indent=2) + "\n")
    print(json.dumps(result, indent=2))


def against_textbook(iterations: int, repeats: int) -> dict[str, Any]:
    """Seconds and ratios, of encoding and of decoding to some of the iterations."""
    textbook = Textbook(WIDTH).eval()
    drop_state_biases(textbook)
    network = Network(LSTM, Additive, width=WIDTH, iterations=iterations)
    copy_weights(textbook, network)
    transform = Transform(network, torch.device("cpu"))
    pixels, header = picture(*SIDES)[None], header_of(iterations)
    x = torch.tensor(pixels).permute(0, 3, 1, 2).contiguous() / 255 - 0.5
    half = torch.full((1, iterations, 32, *header.code_shape[:2]), 0.5)
    codes = transform.analyse(pixels, header).codes[0]
    received = (torch.tensor(codes).float() * 2 - 1).permute(0, 3, 1, 2)[None].contiguous()

    def paint(k: int) -> None:
        Synthesizer(transform, header, k).synthesize(codes[:k])

    painted = Synthesizer(transform, header, iterations).synthesize(codes).astype(int)
    with torch.inference_mode():
        expected = to_uint8(textbook.decode(received))[0].permute(1, 2, 0).numpy()
        works = {
            "textbook_encode": lambda: textbook(x, half),
            "encode": lambda: transform.analyse(pixels, header),
            "encode_1": lambda: transform.analyse(pixels, header.with_iterations(1)),
            "textbook_decode": lambda: textbook.decode(received),
            "decode": lambda: paint(iterations),
            "decode_half": lambda: paint(iterations // 2),
            "decode_1": lambda: paint(1),
        }
        seconds = in_turns(works, repeats)
    return {
        "seconds": seconds,
        "levels_apart_at_most": int(np.abs(painted - expected).max()),
        "encode_over_textbook": seconds["textbook_encode"] / seconds["encode"],
        "decode_over_textbook": seconds["textbook_decode"] / seconds["decode"],
        "encode_1_share": seconds["encode_1"] / seconds["encode"],
        "decode_half_share": seconds["decode_half"] / seconds["decode"],
        "decode_1_share": seconds["decode_1"] / seconds["decode"],
    }


def to_rate(repeats: int) -> dict[str, float]:
    """Seconds to encode a photograph to a rate, and to the iterations of the same file."""
    coder, image = rnncodec.load(), photograph(*SIDES)
    reached = info(coder.encode(image, bpp=RATE))
    works = {
        "rate": partial(coder.encode, image, bpp=RATE),
        "iterations": partial(coder.encode, image, iterations=reached.iterations),
    }
    spent = in_turns(works, repeats)
    return {
        "bpp_asked": RATE,
        "bpp_reached": reached.bpp[-1],
        "iterations": reached.iterations,
        "seconds": spent["rate"],
        "seconds_by_iterations": spent["iterations"],
        "over_iterations": spent["rate"] / spent["iterations"],
    }


def growth(repeats: int) -> dict[str, dict[str, float]]:
    """Microseconds per pixel and peak memory, by size."""
    found, coder = {}, rnncodec.load()
    for width, height in GROWTH:
        work = {"": partial(there_and_back, coder, picture(width, height))}
        few = 1 if width * height > 2**20 else repeats
        found[f"{width}x{height}"] = {
            "us_per_pixel": in_turns(work, few)[""] / (width * height) * 1e6,
            "peak_gib": peak_memory_of_child(__file__, "--memory-of", str(width), str(height)),
        }
    return found


def batches(repeats: int) -> dict[str, float]:
    """Seconds an image of 256x256 takes to encode, by how many are encoded together."""
    coder, image = rnncodec.load(), picture(256, 256)
    works = {
        str(count): partial(coder.encode_all, [image] * count, iterations=GROWTH_ITERATIONS)
        for count in BATCHES
    }
    return {count: spent / int(count) for count, spent in in_turns(works, repeats).items()}


def newest() -> str:
    """The packaged model that is used when none is named."""
    return models.aliases()[models.DEFAULT]


def there_and_back(coder: Codec, image: NDArray[np.uint8]) -> None:
    coder.decode(coder.encode(image, iterations=GROWTH_ITERATIONS))


def header_of(iterations: int) -> Header:
    width, height = SIDES
    return Header(width=width, height=height, iterations=iterations, fingerprint=bytes(16))


def picture(width: int, height: int) -> NDArray[np.uint8]:
    """Smooth colours with some noise."""
    y, x = np.mgrid[:height, :width]
    waves = [np.sin(x / 37 + k) + np.cos(y / 23 - k) for k in range(3)]
    noise = np.random.default_rng(0).normal(0, 0.1, (height, width, 3))
    return ((np.stack(waves, axis=2) + noise) * 60 + 128).clip(0, 255).astype(np.uint8)


if __name__ == "__main__":
    main()
