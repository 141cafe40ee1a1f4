"""The range coder: bits and their integer probabilities in, bytes out, and back."""

from functools import cache
from typing import Any

import numpy as np
from constriction import stream
from numpy.typing import NDArray

from rnncodec.errors import BitstreamError

ONE = 1 << 16
"""A probability p stands for p / ONE; 1 <= p <= ONE - 1, so that no bit is ever impossible."""

_WORD_BITS = 32
_STATE_BITS = 64
_SLACK_BITS = 32
"""A payload of n bytes carries at most 8n + 32 bits: the interval that is left when the encoder
stops is at least 2^32 of 2^64 wide."""

_INFORMATION_UNIT = 1 << 16
"""Information is counted in integers, 1/65536 bit each."""


def encode(bits: NDArray[np.uint8], probabilities: NDArray[np.integer]) -> bytes:
    """Code `bits` (N,) of 0 and 1 with `probabilities` (N,): P(bit = 1) in 1/65536.

    Returns the shortest string of bytes that a `Decoder` (which reads zeros after the last byte)
    turns back into `bits`, without touching the words already settled.

    Raises:
        ValueError: arrays of unequal length, or a value out of range: an error of the caller.

    >>> encode(np.array([1, 0, 1], np.uint8), np.array([60000, 5000, 40000])).hex()
    '6a'
    """
    count = len(probabilities)
    if bits.shape != (count,) or bits.dtype != np.uint8 or (count and bits.max() > 1):
        raise ValueError(
            f"bits: expected {count} of uint8 0 or 1, got {bits.dtype} of shape {bits.shape}"
        )
    encoder = stream.queue.RangeEncoder()
    encoder.encode(bits.astype(np.int32), _bernoulli(), _as_floats(probabilities))
    settled, (lower, width) = encoder.pos()
    words: NDArray[np.uint32] = encoder.get_compressed()
    return words[:settled].astype(">u4").tobytes() + _shortest_tail(lower, width)


class Decoder:
    """The inverse of `encode`, in as many calls as the model of the probabilities needs.

    The concatenated results do not depend on how the calls divide the bits.

    >>> decoder = Decoder(bytes.fromhex("6a"))
    >>> decoder.decode(np.array([60000])), decoder.decode(np.array([5000, 40000]))
    (array([1], dtype=uint8), array([0, 1], dtype=uint8))
    """

    def __init__(self, payload: bytes, offset: int = 0) -> None:
        """Start on `payload`; `offset` is its place in the file, for messages."""
        padded = payload + bytes(-len(payload) % (_WORD_BITS // 8))
        self._decoder = stream.queue.RangeDecoder(np.frombuffer(padded, ">u4").astype(np.uint32))
        self._size, self._offset = len(payload), offset
        self._budget = (8 * len(payload) + _SLACK_BITS) * _INFORMATION_UNIT

    def decode(self, probabilities: NDArray[np.integer]) -> NDArray[np.uint8]:
        """Return the next bits (N,), given P(bit = 1) of each in 1/65536 (N,).

        Raises:
            BitstreamError: no encoder wrote this payload for these probabilities. Decoding past
                the end is noticed soon (by the information decoded), damage seldom: checksums
                are for that.
            ValueError: a probability out of range: an error of the caller.
        """
        floats = _as_floats(probabilities)
        try:
            bits: NDArray[np.uint8] = self._decoder.decode(_bernoulli(), floats).astype(np.uint8)
        except AssertionError as error:  # how constriction says "invalid compressed data"
            raise BitstreamError("entropy-coded data is damaged", self._offset) from error
        chances = np.where(bits, probabilities, ONE - probabilities.astype(np.int64))
        self._budget -= int(_information()[chances].sum())
        if self._budget < 0:
            raise BitstreamError(
                f"the {self._size} bytes of entropy-coded data end before the bits they should "
                "hold; the file is damaged",
                self._offset,
            )
        return bits


@cache
def _bernoulli() -> Any:
    return stream.model.Bernoulli(perfect=False)


@cache
def _information() -> NDArray[np.int64]:
    """Information of a symbol by its probability in 1/65536, rounded down; shape (65537,).

    The coder's 24-bit probability is 256 p or 256 p + 1 or 256 p - 1; the largest errs on the
    side of accepting.
    """
    share = (256.0 * np.arange(ONE + 1) + 1) / (1 << 24)
    bits: NDArray[np.float64] = np.floor(-np.log2(share) * _INFORMATION_UNIT)
    return np.maximum(bits, 0).astype(np.int64)


def _as_floats(probabilities: NDArray[np.integer]) -> NDArray[np.float64]:
    """Check, then scale: p / 65536 is exact in float64, and so is what constriction makes of it.

    Its left-sided cumulative of 1 is floor((1 - p/65536) * (2^24 - 2)) + 1, computed in float64
    from numbers of at most 40 bits: FORMAT.md states it as an integer formula. Out-of-range
    values would not be an error there but a Rust panic.
    """
    if probabilities.ndim != 1 or probabilities.dtype.kind not in "iu":
        raise ValueError(
            f"probabilities: expected integers of shape (N,), got {probabilities.dtype} of shape "
            f"{probabilities.shape}"
        )
    if probabilities.size and not (probabilities.min() > 0 and probabilities.max() < ONE):
        raise ValueError(
            f"probabilities: expected 1..{ONE - 1}, got "
            f"{probabilities.min()}..{probabilities.max()}"
        )
    return probabilities / np.float64(ONE)


def _shortest_tail(lower: int, width: int) -> bytes:
    """Return the fewest bytes that, followed by zeros, name a point of [lower, lower + width).

    `width` is at least 2^32, so four bytes always do. Where the interval crosses 2^64,
    constriction has put the carry into the settled words exactly if lower + 2^32 - 1 crosses
    too; this stays on the side it chose.
    """
    if lower + (1 << _WORD_BITS) - 1 >= 1 << _STATE_BITS:
        return b""  # past the carry the interval begins at 0
    upper = min(lower + width, 1 << _STATE_BITS)
    for size in range(5):
        step = 1 << (_STATE_BITS - 8 * size)
        point = -(-lower // step) * step
        if point < upper:
            return point.to_bytes(_STATE_BITS // 8, "big")[:size]
    raise AssertionError(f"an interval of width {width} is too narrow for a range coder")
