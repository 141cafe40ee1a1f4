"""A second writer of the format, which checks nothing: any field may hold anything.

Written from FORMAT.md with `struct` and `zlib` alone, it computes all checksums, so that what it
writes is wrong in no other way than it was asked to be.
"""

import struct
import zlib
from dataclasses import dataclass, field
from itertools import zip_longest

import numpy as np

from rnncodec.bitstream import Codes, parse


@dataclass
class ForgedSegment:
    """`packed`: the codes that the checksum vouches for; `length`: a lie, or None."""

    mode: int
    payload: bytes
    packed: bytes
    length: int | None = None


@dataclass
class Forged:
    """All that a file consists of."""

    width: int
    height: int
    iterations: int
    fingerprint: bytes = bytes(16)
    colour: int = 0
    blocks: int = 0
    icc: bytes = b""
    segments: list[ForgedSegment] = field(default_factory=list)
    version: int = 1
    flags: int | None = None
    icc_length: int | None = None
    tail: bytes = b""
    adaptive: bool = False

    def pack(self) -> bytes:
        flags = bool(self.icc) | self.adaptive << 1 if self.flags is None else self.flags
        data = b"\x89RNC" + bytes([self.version, flags, self.colour, self.iterations])
        data += struct.pack(">IIH", self.width, self.height, self.blocks) + self.fingerprint
        crc = zlib.crc32(data)
        data += struct.pack(">I", crc)
        if self.icc:
            size = len(self.icc) if self.icc_length is None else self.icc_length
            crc = zlib.crc32(self.icc, crc)
            data += struct.pack(">II", size, crc) + self.icc
        for segment in self.segments:
            size = len(segment.payload) if segment.length is None else segment.length
            tag = groups_of_seven(size << 2 | segment.mode)
            crc = zlib.crc32(tag + segment.packed, crc)
            data += tag + struct.pack(">I", crc) + segment.payload
        return data + self.tail


def groups_of_seven(value: int) -> bytes:
    digits = []
    while True:
        digits.append(value & 127 | (128 if digits else 0))
        value >>= 7
        if not value:
            return bytes(digits[::-1])


def packed_codes(codes: Codes, *, adaptive: bool = False) -> list[bytes]:
    """Codes (T, h, w, 32) as the raw bits of each iteration; the mask follows if there is one."""
    packed = [np.packbits(frame & 1).tobytes() for frame in codes]
    masks = [np.packbits(frame[..., 0] < 2).tobytes() for frame in codes[1:] if adaptive]
    return [bits + mask for bits, mask in zip_longest(packed, [b"", *masks], fillvalue=b"")]


def take_apart(data: bytes, codes: Codes) -> Forged:
    """The file `data`, whose codes (T, h, w, 32) are known, ready to be tampered with."""
    header, segments, _ = parse(data)
    return Forged(
        width=header.width,
        height=header.height,
        iterations=header.iterations,
        fingerprint=header.fingerprint,
        colour=int(header.colour),
        blocks=header.tile // 16,
        icc=header.icc_profile,
        adaptive=header.adaptive,
        segments=[
            ForgedSegment(int(segment.mode), segment.payload, packed)
            for segment, packed in zip(
                segments, packed_codes(codes, adaptive=header.adaptive), strict=True
            )
        ],
    )
