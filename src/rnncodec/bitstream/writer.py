"""From a header and codes to bytes: the inverse of the reader."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from rnncodec.bitstream.header import Header
from rnncodec.bitstream.segment import (
    CRC_SIZE,
    Codes,
    SegmentMode,
    checksum,
    pack_codes,
    pack_tag,
    pack_varint,
)
from rnncodec.errors import BitstreamError


class Iteration(NamedTuple):
    """One iteration to be written: its codes (h, w, 32), and what `encode` made of each tile.

    Without payloads the codes are stored as raw bits. A masked iteration also needs what `encode`
    made of each tile with a probability of 1/2 for every bit: `even`.
    """

    codes: Codes
    payloads: Sequence[bytes] | None = None
    even: Sequence[bytes] | None = None


class Writer:
    """A file, piece by piece: `start()`, then `segment()` for each iteration.

    >>> writer = Writer(Header(width=1, height=1, iterations=1, fingerprint=bytes(16)))
    >>> len(writer.start())
    38
    """

    def __init__(self, header: Header) -> None:
        self._header = header
        self._checksum = header.checksum
        self._iterations = 0

    def start(self) -> bytes:
        """Return the bytes of the header."""
        return self._header.pack()

    def segment(self, iteration: Iteration) -> bytes:
        """Return the bytes of the next iteration, in the shortest of the modes it may have.

        Raises:
            ValueError: codes or number of tiles do not fit the header, or one iteration more
                than it states: an error of the caller.
            BitstreamError: a masked payload is longer than the format allows.
        """
        header = self._header
        if self._iterations == header.iterations:
            raise ValueError(f"the header states {header.iterations} iterations, not more")
        self._iterations += 1
        masked = header.masked(self._iterations)
        packed = pack_codes(header, iteration.codes, masked=masked)
        if masked:
            if iteration.even is None:
                raise ValueError("a masked iteration needs `even` payloads")
            found = [(SegmentMode.MASKED_RAW, self._join(iteration.even))]
            coded = SegmentMode.MASKED_ENTROPY
        else:
            found = [(SegmentMode.RAW, packed)]
            coded = SegmentMode.ENTROPY
        if iteration.payloads is not None:
            found.append((coded, self._join(iteration.payloads)))
        mode, payload = min(found, key=lambda pair: len(pair[1]))  # of equals the first
        if masked and len(payload) > header.masked_limit:
            raise BitstreamError(
                f"masked segment of {len(payload)} bytes: this format holds at most "
                f"{header.masked_limit}; write this image without adaptive rate"
            )
        tag = pack_tag(mode, len(payload))
        self._checksum = checksum(tag, packed, self._checksum)
        return tag + self._checksum.to_bytes(CRC_SIZE, "big") + payload

    def _join(self, tiles: Sequence[bytes]) -> bytes:
        """The payload of coded tiles: the lengths of all but the last, then the tiles."""
        if len(tiles) != self._header.tile_count:
            raise ValueError(f"expected {self._header.tile_count} tiles, got {len(tiles)}")
        return b"".join([*(pack_varint(len(tile)) for tile in tiles[:-1]), *tiles])


def write(header: Header, iterations: Iterable[Iteration]) -> bytes:
    """Return a whole file.

    Raises:
        ValueError: as `Writer.segment`; also for fewer iterations than the header states.

    >>> import numpy as np
    >>> header = Header(width=16, height=16, iterations=1, fingerprint=bytes(16))
    >>> write(header, [Iteration(np.ones((1, 1, 32), np.uint8))])[-4:].hex()
    'ffffffff'
    """
    writer = Writer(header)
    pieces = [writer.start(), *map(writer.segment, iterations)]
    if len(pieces) != header.iterations + 1:
        raise ValueError(f"expected {header.iterations} iterations, got {len(pieces) - 1}")
    return b"".join(pieces)
