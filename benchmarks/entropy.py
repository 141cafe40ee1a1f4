"""Speed of exact entropy coding, as ratios within one run, and the rate that rounding costs.

`python benchmarks/entropy.py` codes the map of a 768x512 image at 16 iterations: along diagonals
as the decoder must, row by row as the encoder may, and one position at a time, by models of random
weights and without the range coder. From end to end, by the newest packaged model and with the
range coder, it codes a photograph: codes to the bytes of a file, and back. `--rate` also trains
small models on synthetic codes and compares cross-entropies. Writes outputs/bench/entropy.json.
"""

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

import rnncodec
from coding import newest
from host_info import describe
from photographs import photograph
from rnncodec.bitstream import Codes, Header, SegmentMode, parse, write
from rnncodec.coding import entropy_coding
from rnncodec.entropy import (
    EntropyModel,
    IntegerModel,
    Wavefront,
    bits_per_bit,
    model_class,
    quantize,
)
from rnncodec.entropy import planes as pl
from rnncodec.entropy.integer import Field, exact_arithmetic
from rnncodec.machine.storage import write_text
from timing import clock_name, in_turns

NAMES = ("binary_rnn", "progressive")
T, HEIGHT, WIDTH = 16, 32, 48
SAMPLE = 150  # positions timed one at a time


def along_diagonals(model: IntegerModel, iterations: int) -> None:
    def decode(t: int, probabilities: NDArray[np.int32]) -> NDArray[np.uint8]:
        return (probabilities & 1).astype(np.uint8)

    Wavefront(model, (HEIGHT, WIDTH), iterations=T).advance(iterations, decode)


def one_at_a_time(model: IntegerModel, positions: int) -> None:
    """The same network functions on lattices of one position, without the set-up."""
    with exact_arithmetic():
        field = Field(model, pl.Rows(1, positions), 2, 1)
        for x in range(positions):
            at = pl.Lattice(0, 1, 0, x, 1, 1)
            model.predict(field, at)
            if model.remembers:
                model.read_codes(field, at)
                model.read_past(field, at)
                model.update_memory(field, at)


def speed(name: str, repeats: int) -> dict[str, float]:
    torch.manual_seed(0)
    model = quantize(model_class(name)(T))
    codes = torch.randint(0, 2, (1, T, HEIGHT, WIDTH, 32), dtype=torch.uint8)
    works = {
        "parallel": lambda: model.probabilities(codes),
        "diagonals": lambda: along_diagonals(model, T),
        "prefix": lambda: along_diagonals(model, 4),
        "sample": lambda: one_at_a_time(model, SAMPLE),
    }
    spent = in_turns(works, repeats)
    single = spent["sample"] * T * HEIGHT * WIDTH / SAMPLE
    return {
        "encode_parallel_s": spent["parallel"],
        "decode_diagonals_s": spent["diagonals"],
        "decode_first_4_iterations_s": spent["prefix"],
        "one_at_a_time_s_extrapolated_from_150_positions": single,
        "decode_over_encode": spent["diagonals"] / spent["parallel"],
        "one_at_a_time_over_decode": single / spent["diagonals"],
    }


def end_to_end(repeats: int) -> dict[str, float]:
    """Of the newest packaged model: seconds, and the bytes of the payloads over the entropy."""
    codec = rnncodec.load()
    model = codec.model.entropy
    assert model is not None, "packaged models have an entropy model"
    codes = codec.encode_codes(photograph(16 * WIDTH, 16 * HEIGHT), iterations=T)
    header = Header(
        width=16 * WIDTH, height=16 * HEIGHT, iterations=T, fingerprint=codec.fingerprint
    )
    segments = parse(write(header, entropy_coding.coded_iterations(model, codes, header))).segments
    works = {
        "parallel_pass_s": lambda: model.probabilities(torch.from_numpy(codes)[None]),
        "encode_s": lambda: entropy_coding.payloads(model, codes, header),
        "decode_s": lambda: entropy_coding.CodeReader(model, header, T).read(segments),
    }
    spent = in_turns(works, repeats)
    payloads = entropy_coding.payloads(model, codes, header)
    size = sum(len(tile) for tiles in payloads for tile in tiles)
    return {
        **spent,
        "encode_over_parallel_pass": spent["encode_s"] / spent["parallel_pass_s"],
        "decode_over_parallel_pass": spent["decode_s"] / spent["parallel_pass_s"],
        "bytes": size,
        "iterations_stored_raw": sum(s.mode is SegmentMode.RAW for s in segments),
        "bytes_over_entropy": 8 * size / bits_needed(model, codes) - 1,
    }


def bits_needed(model: IntegerModel, codes: Codes) -> float:
    """Cross-entropy of codes (T, h, w, 32) by the integers that reach the coder."""
    p = model.probabilities(torch.from_numpy(codes)[None]).numpy()[0] / 65536
    return float(-np.log2(np.where(codes > 0, p, 1 - p)).sum())


def synthetic_codes(count: int, iterations: int, seed: int) -> Tensor:
    """Successive approximations of smooth noise: codes (B, T, 32, 12, 12) of -1 and +1."""
    generator = torch.Generator().manual_seed(seed)
    noise = torch.randn(count, 32, 16, 16, generator=generator)
    x = torch.nn.functional.avg_pool2d(noise, 5, stride=1) * 3
    codes = []
    for t in range(iterations):
        codes.append(torch.where(x >= 0, 1.0, -1.0))
        x = x - codes[-1] * 0.5 ** (t + 1)
    return torch.stack(codes, dim=1)


def train(model: EntropyModel, codes: Tensor, steps: int, *, lr: float, exact: bool) -> None:
    optimizer = torch.optim.Adam(model.parameters(), lr=lr)
    for step in range(steps):
        batch = codes[torch.arange(step * 8, step * 8 + 8) % len(codes)]
        loss = bits_per_bit(model(batch, exact=exact), batch)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


def coded_bits(model: EntropyModel, codes: Tensor) -> float:
    """Bits per bit by the integers that reach the coder."""
    bits = (codes.permute(0, 1, 3, 4, 2) > 0).to(torch.uint8)
    p = quantize(model).probabilities(bits).double() / 65536
    return float(-torch.log2(torch.where(bits > 0, p, 1 - p)).mean())


def rate(name: str, steps: int) -> dict[str, float]:
    torch.manual_seed(0)
    model = model_class(name)(4)
    codes, held_out = synthetic_codes(256, 4, 0), synthetic_codes(32, 4, 1)
    train(model, codes, steps, lr=1e-3, exact=False)
    with torch.no_grad():
        smooth = float(bits_per_bit(model(held_out), held_out))
    rounded = coded_bits(model, held_out)
    train(model, codes, steps // 8, lr=1e-4, exact=True)
    tuned = coded_bits(model, held_out)
    return {
        "float_bits_per_bit": smooth,
        "rounded_bits_per_bit": rounded,
        "fine_tuned_bits_per_bit": tuned,
        "rate_lost_by_rounding": rounded / smooth - 1,
        "rate_lost_after_fine_tuning": tuned / smooth - 1,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--rate", action="store_true", help="also train and measure rates")
    parser.add_argument("--steps", type=int, default=320)
    parser.add_argument("--output", type=Path, default=Path("outputs/bench/entropy.json"))
    options = parser.parse_args()
    result: dict[str, Any] = {"speed": {name: speed(name, options.repeats) for name in NAMES}}
    result["end_to_end"] = end_to_end(options.repeats)
    result |= {"model": newest(), "clock": clock_name(), "machine": describe()}
    if options.rate:
        result["rate"] = {name: rate(name, options.steps) for name in NAMES}
    text = json.dumps(result, indent=2)
    write_text(options.output, text + "\n")
    print(text)


if __name__ == "__main__":
    main()
