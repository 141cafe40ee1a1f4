"""Time of the range coder per bit: `python benchmarks/coder.py`, JSON to outputs/bench/coder.json.

The bits are those of a 768x512 image at 16 iterations. Encoding them, and decoding them in chunks
(about 60 positions of 32 bits as a wavefront does, one position, all at once), take turns. The
probabilities are spread like those of a trained model.
"""

import argparse
import json
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from host_info import describe
from rnncodec.bitstream import Decoder, encode
from rnncodec.machine.storage import write_text
from timing import clock_name, in_turns

BITS = 48 * 32 * 32 * 16
CHUNKS = (60 * 32, 32, BITS)
OUTPUT = Path("outputs/bench/coder.json")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--out", type=Path, default=OUTPUT)
    options = parser.parse_args()
    rng = np.random.default_rng(0)
    probabilities = (rng.beta(0.7, 0.7, BITS) * 65534 + 1).astype(np.int64)
    bits = (rng.integers(0, 65536, BITS) < probabilities).astype(np.uint8)
    payload = encode(bits, probabilities)
    chosen = np.where(bits, probabilities, 65536 - probabilities) / 65536
    result = {
        "bits": BITS,
        "payload_bytes": len(payload),
        "over_entropy": 8 * len(payload) / -np.log2(chosen).sum() - 1,
        **microseconds(bits, probabilities, payload, options.repeats),
        "clock": clock_name(),
        "machine": describe(),
    }
    write_text(options.out, json.dumps(result, indent=2) + "\n")
    print(json.dumps(result, indent=2))


def microseconds(
    bits: NDArray[np.uint8], probabilities: NDArray[np.int64], payload: bytes, repeats: int
) -> dict[str, float]:
    """Per bit: encoding, and decoding in chunks of each size."""
    works: dict[str, Callable[[], object]] = {
        "encode_us_per_bit": partial(encode, bits, probabilities)
    }
    for size in CHUNKS:
        chunks = [probabilities[at : at + size] for at in range(0, BITS, size)]
        works[f"decode_us_per_bit_chunks_of_{size}"] = partial(decode, payload, chunks)
    return {name: spent / BITS * 1e6 for name, spent in in_turns(works, repeats).items()}


def decode(payload: bytes, chunks: list[NDArray[np.int64]]) -> None:
    """Decode all chunks, one call each."""
    decoder = Decoder(payload)
    for chunk in chunks:
        decoder.decode(chunk)


if __name__ == "__main__":
    main()
