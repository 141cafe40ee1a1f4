"""The range coder: bits and their integer probabilities in, bytes out, and back."""

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
from constriction import stream
from numpy.typing import NDArray

from rnncodec.errors import BitstreamError

ONE = 1 << 16
"""A probability p stands for p / ONE; 1 <= p <= ONE - 1, so that no bit is ever impossible."""

_BERNOULLI = stream.model.Bernoulli(perfect=False)
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
    encoder.encode(bits.astype(np.int32), _BERNOULLI, _as_floats(probabilities))
    settled, (lower, width) = encoder.pos()
    words: NDArray[np.uint32] = encoder.get_compressed()
    start: bytes = words[:settled].astype(">u4").tobytes()
    # Then the fewest bytes that, followed by zeros, name a point of [lower, lower + width). Where
    # this interval crosses 2^64, constriction has put the carry into the settled words exactly if
    # lower + 2^32 - 1 crosses too: what remains is on the side that it chose.
    if lower + (1 << 32) - 1 >= 1 << 64:
        return start  # past the carry the interval begins at 0
    for size in range(5):  # width is at least 2^32, so four bytes always do
        step = 1 << (64 - 8 * size)
        point = -(-lower // step) * step
        if point < min(lower + width, 1 << 64):
            return start + int(point).to_bytes(8, "big")[:size]
    raise AssertionError(f"an interval of width {width} is too narrow for a range coder")


class Decoder:
    """The inverse of `encode`, in as many calls as the model of the probabilities needs.

    The concatenated results do not depend on how the calls divide the bits.

    >>> decoder = Decoder(bytes.fromhex("6a"))
    >>> decoder.decode(np.array([60000])), decoder.decode(np.array([5000, 40000]))
    (array([1], dtype=uint8), array([0, 1], dtype=uint8))
    """

    def __init__(self, payload: bytes, offset: int = 0) -> None:
        """Start on `payload`; `offset` is its place in the file, for messages."""
        padded = payload + bytes(-len(payload) % 4)
        self._decoder = stream.queue.RangeDecoder(np.frombuffer(padded, ">u4").astype(np.uint32))
        self._size, self._offset = len(payload), offset
        # The interval that is left when the encoder stops is at least 2^32 of 2^64 wide.
        self._budget = (8 * len(payload) + 32) * _INFORMATION_UNIT

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
            bits: NDArray[np.uint8] = self._decoder.decode(_BERNOULLI, floats).astype(np.uint8)
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


class CutDecoder:
    """Reads what the first bytes of a payload settle, whatever the bytes were that followed.

    Bits are settled if they are the same with zeros behind them and with ones. No checksum
    vouches for them.

    >>> bits, half = np.array([1, 0, 1] * 20, np.uint8), np.full(60, 32768)
    >>> cut = CutDecoder(encode(bits, half)[:3])
    >>> int(cut.read(lambda decoder: decoder.decode(half[:20])).sum()), cut.over
    (13, False)
    >>> cut.read(lambda decoder: decoder.decode(half[20:])), cut.over
    (None, True)
    """

    def __init__(self, payload: bytes, *, whole: bool = False) -> None:
        """Start on `payload`; if it is `whole`, zeros follow, and nothing else."""
        self.over = False
        fills = [b""] if whole else [b"", b"\xff" * 16]
        self._decoders = [Decoder(payload + fill) for fill in fills]

    def read(self, ask: Callable[[Decoder], NDArray[Any]]) -> NDArray[Any] | None:
        """Return what `ask` gets from the payload; None, now and later, if that is not settled."""
        try:
            answers = [] if self.over else [ask(decoder) for decoder in self._decoders]
        except BitstreamError:  # past the end, with zeros or with ones
            answers = []
        self.over = not answers or any((each != answers[0]).any() for each in answers)
        return None if self.over else answers[0]


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

    That is floor((1 - p/65536) * (2^24 - 2)) + 1, of numbers of at most 40 bits: FORMAT.md states
    it in integers. Out-of-range values would not be an error there but a Rust panic.
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
