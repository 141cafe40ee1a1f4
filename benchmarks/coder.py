"""Time of the range coder per bit: `python benchmarks/coder.py`, JSON to outputs/bench/coder.json.

The bits are those of a 768x512 image at 16 iterations, decoded as a wavefront does: in chunks of
about 60 positions of 32 bits. The probabilities are spread like those of a trained model.
"""

import json
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from machine import describe
from rnncodec.bitstream import Decoder, encode

BITS = 48 * 32 * 32 * 16
CHUNKS = [60 * 32, 32, BITS]
REPEATS = 5
RESULT = Path("outputs/bench/coder.json")


def main() -> None:
    """Measure, print and store."""
    rng = np.random.default_rng(0)
    probabilities = (rng.beta(0.7, 0.7, BITS) * 65534 + 1).astype(np.int64)
    bits = (rng.integers(0, 65536, BITS) < probabilities).astype(np.uint8)
    payload = encode(bits, probabilities)
    chosen = np.where(bits, probabilities, 65536 - probabilities) / 65536
    result: dict[str, Any] = {
        "machine": describe(),
        "bits": BITS,
        "payload_bytes": len(payload),
        "over_entropy": 8 * len(payload) / -np.log2(chosen).sum() - 1,
        "encode_us_per_bit": microseconds(partial(encode, bits, probabilities)),
    }
    for size in CHUNKS:
        chunks = [probabilities[at : at + size] for at in range(0, BITS, size)]
        result[f"decode_us_per_bit_chunks_of_{size}"] = microseconds(
            partial(decode, payload, chunks)
        )
    RESULT.parent.mkdir(parents=True, exist_ok=True)
    unfinished = RESULT.with_suffix(".part")
    unfinished.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    unfinished.replace(RESULT)
    print(RESULT.read_text(encoding="utf-8"), end="")


def decode(payload: bytes, chunks: list[NDArray[np.int64]]) -> None:
    """Decode all chunks, one call each."""
    decoder = Decoder(payload)
    for chunk in chunks:
        decoder.decode(chunk)


def microseconds(work: Callable[[], object]) -> float:
    """Return the shortest of a few timings, per bit."""
    times = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return min(times) / BITS * 1e6


if __name__ == "__main__":
    main()
