"""One iteration in a file: how its codes are stored and how they are verified."""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from rnncodec.bitstream import varint
from rnncodec.bitstream.coder import Decoder
from rnncodec.bitstream.header import Header
from rnncodec.errors import BitstreamError

Codes = NDArray[np.uint8]

CRC_SIZE = 4
MODE_BITS = 2
_MODE_MASK = (1 << MODE_BITS) - 1


class SegmentMode(IntEnum):
    """How a payload holds the codes; the numbers are part of the format."""

    RAW = 0
    ENTROPY = 1


def pack_codes(header: Header, codes: Codes) -> bytes:
    """Return codes (h, w, 32) of 0 and 1 as bits: raster order, first channel highest.

    Raises:
        ValueError: another shape, type or value than the header calls for: an error of the caller.
    """
    if codes.shape != header.code_shape or codes.dtype != np.uint8 or codes.max() > 1:
        raise ValueError(
            f"codes: expected uint8 0 or 1 of shape {header.code_shape}, "
            f"got {codes.dtype} of shape {codes.shape}"
        )
    return np.packbits(codes).tobytes()


def checksum(tag: bytes, packed: bytes, previous: int) -> int:
    """Return the CRC-32 of a segment: its tag, then its packed codes, seeded with `previous`."""
    return zlib.crc32(packed, zlib.crc32(tag, previous))


def tag_bytes(mode: SegmentMode, length: int) -> bytes:
    """Return the bytes in which a segment names its mode and the length of its payload."""
    return varint.pack(length << MODE_BITS | mode)


def read_tag(tag: int, header: Header, offset: int) -> tuple[SegmentMode, int]:
    """Return mode and payload length, or say why no segment of this image has such a tag.

    Raises:
        BitstreamError: unknown mode, or a length that this mode cannot have.
    """
    mode, length = tag & _MODE_MASK, tag >> MODE_BITS
    if mode not in tuple(SegmentMode):
        raise BitstreamError(
            f"segment mode {mode} is unknown here; a newer version of rnncodec is needed", offset
        )
    if mode == SegmentMode.RAW and length != header.raw_size:
        raise BitstreamError(
            f"raw segment of {length} bytes: this image has {header.raw_size}", offset
        )
    if mode == SegmentMode.ENTROPY and length >= header.raw_size:
        raise BitstreamError(
            f"entropy-coded segment of {length} bytes: expected fewer than the "
            f"{header.raw_size} of a raw one",
            offset,
        )
    return SegmentMode(mode), length


@dataclass(frozen=True, kw_only=True)
class Segment:
    """One iteration as it stands in the file, `iteration` counted from 1.

    Its codes are known to be right only after `verify`. `offset` and `size` are its place in
    the file; `checksum` is its CRC-32 and `previous` the one before it in the file.
    """

    header: Header
    iteration: int
    offset: int
    mode: SegmentMode
    checksum: int
    previous: int
    payload: bytes = field(repr=False)

    @property
    def size(self) -> int:
        """Bytes of the segment, its own header included."""
        return len(self._tag) + CRC_SIZE + len(self.payload)

    @property
    def _tag(self) -> bytes:
        return tag_bytes(self.mode, len(self.payload))

    @property
    def _payload_offset(self) -> int:
        return self.offset + len(self._tag) + CRC_SIZE

    def raw_codes(self) -> Codes:
        """Return the codes (h, w, 32) of a segment whose mode is RAW."""
        assert self.mode is SegmentMode.RAW, self.mode
        bits = np.unpackbits(np.frombuffer(self.payload, np.uint8))
        return bits.reshape(self.header.code_shape)

    def decoder(self, tile: int = 0) -> Decoder:
        """Return a decoder of tile number `tile`, of a segment whose mode is ENTROPY.

        It yields the bits of the tile's positions in `position_order`, 32 for each.

        Raises:
            BitstreamError: the table of tile lengths does not fit the payload.
        """
        assert self.mode is SegmentMode.ENTROPY, self.mode
        start, stop = self._bounds[tile], self._bounds[tile + 1]
        return Decoder(self.payload[start:stop], self._payload_offset + int(start))

    def verify(self, codes: Codes) -> None:
        """Check the decoded codes (h, w, 32) against the checksum.

        Raises:
            BitstreamError: file and codes do not belong together: the file is damaged, or the
                probabilities were not those it was written with.
        """
        packed = pack_codes(self.header, codes)
        if checksum(self._tag, packed, self.previous) != self.checksum:
            raise BitstreamError(
                f"iteration {self.iteration} is damaged (its codes do not match its checksum)",
                self.offset,
            )

    @cached_property
    def _bounds(self) -> NDArray[np.int64]:
        """Where each tile begins in the payload, and the payload's end; shape (tiles + 1,)."""
        count, lengths, at = self.header.tile_count, [], 0
        for _ in range(count - 1):
            found = varint.unpack(self.payload, at, self._payload_offset)
            if found is None:
                raise BitstreamError(
                    f"table of {count - 1} tile lengths is cut short", self._payload_offset + at
                )
            length, at = found
            lengths.append(length)
        starts = np.cumsum([at, *lengths], dtype=np.int64)
        if starts[-1] > len(self.payload):
            raise BitstreamError(
                f"tile lengths add up to more than the {len(self.payload)} bytes of the payload",
                self._payload_offset,
            )
        return np.append(starts, len(self.payload))


def pack_tiles(payloads: Sequence[bytes]) -> bytes:
    """Return the payload of an entropy-coded segment: lengths of all tiles but the last, tiles."""
    return b"".join([varint.pack(len(payload)) for payload in payloads[:-1]] + [*payloads])
