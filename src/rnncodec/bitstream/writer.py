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


def write(header: Header, iterations: Iterable[Iteration]) -> bytes:
    """Return a whole file, each iteration in the shortest of the modes it may have.

    Raises:
        ValueError: codes, or the number of tiles or iterations, do not fit the header: an error
            of the caller.
        BitstreamError: a masked payload is longer than the format allows.

    >>> import numpy as np
    >>> header = Header(width=16, height=16, iterations=1, fingerprint=bytes(16))
    >>> write(header, [Iteration(np.ones((1, 1, 32), np.uint8))])[-4:].hex()
    'ffffffff'
    """
    file, previous, count = [header.pack()], header.checksum, 0
    for count, iteration in enumerate(iterations, start=1):
        if count > header.iterations:
            raise ValueError(f"the header states {header.iterations} iterations, not more")
        masked = header.masked(count)
        packed = pack_codes(header, iteration.codes, masked=masked)
        if not masked:
            modes = [(SegmentMode.RAW, packed)]
        elif iteration.even is None:
            raise ValueError("a masked iteration needs `even` payloads")
        else:
            modes = [(SegmentMode.MASKED_RAW, _join(header, iteration.even))]
        if iteration.payloads is not None:
            coded = SegmentMode.MASKED_ENTROPY if masked else SegmentMode.ENTROPY
            modes.append((coded, _join(header, iteration.payloads)))
        mode, payload = min(modes, key=lambda pair: len(pair[1]))  # of equals the first
        if masked and len(payload) > header.masked_limit:
            raise BitstreamError(
                f"masked segment of {len(payload)} bytes: this format holds at most "
                f"{header.masked_limit}; write this image without adaptive rate"
            )
        tag = pack_tag(mode, len(payload))
        previous = checksum(tag, packed, previous)
        file += [tag, previous.to_bytes(CRC_SIZE, "big"), payload]
    if count < header.iterations:
        raise ValueError(f"expected {header.iterations} iterations, got {count}")
    return b"".join(file)


def _join(header: Header, tiles: Sequence[bytes]) -> bytes:
    """The payload of coded tiles: the lengths of all but the last, then the tiles."""
    if len(tiles) != header.tile_count:
        raise ValueError(f"expected {header.tile_count} tiles, got {len(tiles)}")
    return b"".join([*(pack_varint(len(tile)) for tile in tiles[:-1]), *tiles])
