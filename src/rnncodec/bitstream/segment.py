"""One iteration in a file: how its codes are stored and how they are verified."""

import zlib
from dataclasses import dataclass, field
from enum import IntEnum
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from rnncodec.bitstream.coder import CutDecoder, Decoder
from rnncodec.bitstream.header import Header
from rnncodec.errors import BitstreamError
from rnncodec.geometry import UNSENT

Codes = NDArray[np.uint8]

CRC_SIZE = 4
VARINT_BYTES = 4
VARINT_LIMIT = 1 << (7 * VARINT_BYTES)
"""One more than the largest integer that is stored seven bits a byte."""


def pack_varint(value: int) -> bytes:
    """Return `value`, 0 <= value < VARINT_LIMIT, seven bits a byte, most significant first.

    >>> pack_varint(5).hex(), pack_varint(300).hex()
    ('05', '822c')
    """
    assert 0 <= value < VARINT_LIMIT, value
    packed = [value & 0x7F]
    while value := value >> 7:
        packed.append(value & 0x7F | 0x80)
    return bytes(reversed(packed))


def unpack_varint(data: bytes | bytearray, start: int, base: int = 0) -> tuple[int, int] | None:
    """Read the integer at `data[start]`: (value, index after it), or None if data ends inside it.

    `base` is the offset of `data[0]` in the file, for messages. BitstreamError: longer than four
    bytes, or not in its shortest form.
    """
    value = 0
    for index in range(start, min(start + VARINT_BYTES, len(data))):
        byte = data[index]
        if index == start and byte == 0x80:
            raise BitstreamError("integer does not have its shortest form", base + start)
        value = value << 7 | byte & 0x7F
        if byte < 0x80:
            return value, index + 1
    if len(data) - start >= VARINT_BYTES:
        raise BitstreamError(f"integer is longer than {VARINT_BYTES} bytes", base + start)
    return None


class SegmentMode(IntEnum):
    """How a payload holds the codes; the numbers are part of the format."""

    RAW = 0
    ENTROPY = 1
    MASKED_RAW = 2
    MASKED_ENTROPY = 3

    @property
    def masked(self) -> bool:
        """Whether a mask says which positions send."""
        return self >= SegmentMode.MASKED_RAW

    @property
    def modelled(self) -> bool:
        """Whether the entropy model gives the probabilities of the codes."""
        return self in (SegmentMode.ENTROPY, SegmentMode.MASKED_ENTROPY)


def pack_codes(header: Header, codes: Codes, *, masked: bool = False) -> bytes:
    """Return codes (h, w, 32) of 0 and 1 as bits: raster order, first channel highest.

    `masked` codes may be UNSENT, which becomes 0; a bit for each position, 1 where it sends,
    follows them. ValueError: another shape, type or value than the header calls for.
    """
    most = UNSENT if masked else 1
    if codes.shape != header.code_shape or codes.dtype != np.uint8 or codes.max() > most:
        raise ValueError(
            f"codes: expected uint8 0 or 1 of shape {header.code_shape}, "
            f"got {codes.dtype} of shape {codes.shape}"
        )
    packed = np.packbits(codes == 1).tobytes()
    return packed + np.packbits(sending(codes)).tobytes() if masked else packed


def sending(codes: Codes) -> NDArray[np.bool_]:
    """Return which positions of codes (..., h, w, 32) send: (..., h, w).

    ValueError: a position sends some of its bits, an error of the caller.
    """
    sent = codes != UNSENT
    some: NDArray[np.bool_] = sent.any(axis=-1)
    if (some != sent.all(axis=-1)).any():
        raise ValueError("codes: a position sends all of its bits or none")
    return some


def checksum(tag: bytes, packed: bytes, previous: int) -> int:
    """Return the CRC-32 of a segment: its tag, then its packed codes, seeded with `previous`."""
    return zlib.crc32(packed, zlib.crc32(tag, previous))


def pack_tag(mode: SegmentMode, length: int) -> bytes:
    """Return the bytes that state a segment's mode (the last two bits) and payload length."""
    return pack_varint(length << 2 | mode)


def unpack_tag(tag: int, header: Header, iteration: int, offset: int) -> tuple[SegmentMode, int]:
    """Return mode and payload length, or raise BitstreamError if this iteration has no such.

    `iteration` is counted from 1; `offset` is the place in the file, for messages.
    """
    mode, length = SegmentMode(tag & 3), tag >> 2
    problem = ""
    if mode.masked != header.masked(iteration):
        expected = "2 or 3, with a mask" if header.masked(iteration) else "0 or 1, without a mask"
        problem = f"segment mode {mode:d}: iteration {iteration} of this file has {expected}"
    elif mode.masked and length > header.masked_limit:
        problem = f"masked segment of {length} bytes: expected at most {header.masked_limit}"
    elif mode == SegmentMode.RAW and length != header.raw_size:
        problem = f"raw segment of {length} bytes: this image has {header.raw_size}"
    elif mode == SegmentMode.ENTROPY and length >= header.raw_size:
        problem = (
            f"entropy-coded segment of {length} bytes: expected fewer than the "
            f"{header.raw_size} of a raw one"
        )
    if problem:
        raise BitstreamError(problem, offset)
    return mode, length


@dataclass(frozen=True, kw_only=True)
class Segment:
    """One iteration as it stands in the file, `iteration` counted from 1.

    Its codes are known to be right only after `verify`. `offset` and `size` are its place in
    the file; `checksum` is its CRC-32 and `previous` the one before it in the file. Of the
    segment that a file ends in, `missing` bytes of the payload have not arrived.
    """

    header: Header
    iteration: int
    offset: int
    mode: SegmentMode
    checksum: int
    previous: int
    payload: bytes = field(repr=False)
    missing: int = 0

    @property
    def size(self) -> int:
        """Bytes of the segment, its own header included."""
        return self._payload_offset - self.offset + len(self.payload)

    @property
    def _payload_offset(self) -> int:
        return self.offset + len(pack_tag(self.mode, len(self.payload))) + CRC_SIZE

    def raw_codes(self) -> Codes:
        """Return the codes (h, w, 32) of a segment whose mode is RAW."""
        assert self.mode is SegmentMode.RAW, self.mode
        bits = np.unpackbits(np.frombuffer(self.payload, np.uint8))
        return bits.reshape(self.header.code_shape)

    def cut_decoder(self, tile: int = 0) -> CutDecoder:
        """Return what reads a tile as far as it has arrived; raises as `decoder` does."""
        start, stop = self._bounds[tile], self._bounds[tile + 1]
        return CutDecoder(self.payload[start:stop], whole=bool(stop <= len(self.payload)))

    def decoder(self, tile: int = 0) -> Decoder:
        """Return a decoder of tile number `tile`, of a segment whose mode is not RAW.

        It yields the bits of the tile's positions in `position_order`, 32 for each; of a masked
        segment the flags before them (see `Mask.read`), and bits of the positions that send.

        Raises:
            BitstreamError: the table of tile lengths does not fit the payload.
        """
        assert self.mode is not SegmentMode.RAW, self.mode
        start, stop = self._bounds[tile], self._bounds[tile + 1]
        return Decoder(self.payload[start:stop], self._payload_offset + int(start))

    def verify(self, codes: Codes) -> None:
        """Check the decoded codes (h, w, 32), and the mask in them, against the checksum.

        BitstreamError: the file is damaged, or the probabilities were not those of its writer.
        """
        packed = pack_codes(self.header, codes, masked=self.mode.masked)
        tag = pack_tag(self.mode, len(self.payload))
        if checksum(tag, packed, self.previous) != self.checksum:
            raise BitstreamError(
                f"iteration {self.iteration} is damaged (its codes do not match its checksum)",
                self.offset,
            )

    @cached_property
    def _bounds(self) -> NDArray[np.int64]:
        """Where each tile begins in the payload, and the payload's end; shape (tiles + 1,)."""
        count, lengths, at = self.header.tile_count, [], 0
        for _ in range(count - 1):
            found = unpack_varint(self.payload, at, self._payload_offset)
            if found is None:
                raise BitstreamError(
                    f"table of {count - 1} tile lengths is cut short", self._payload_offset + at
                )
            length, at = found
            lengths.append(length)
        starts = np.cumsum([at, *lengths], dtype=np.int64)
        end = len(self.payload) + self.missing
        if starts[-1] > end:
            raise BitstreamError(
                f"tile lengths add up to more than the {end} bytes of the payload",
                self._payload_offset,
            )
        return np.append(starts, end)
