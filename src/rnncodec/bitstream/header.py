"""The header of a file: what image, which model, how many iterations (FORMAT.md, "Header")."""

import dataclasses
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum
from functools import cached_property
from typing import NamedTuple

from rnncodec.errors import BitstreamError
from rnncodec.geometry import BITS, BLOCK

MAGIC = b"\x89RNC"
VERSION = 1
FIXED_SIZE = 38
"""Bytes of a header without colour profile."""

FINGERPRINT_SIZE = 16
MAX_POSITIONS = (1 << 24) - 1
MAX_PIECE = 1 << 16
"""Positions of a tile, or of an image in one piece: bounds the memory a decoder needs."""
MAX_TILES = 1 << 12
MAX_ICC_PROFILE = 1 << 22
MAX_PAYLOAD = (1 << 26) - 1
"""The longest payload of a segment that its tag can state."""

_FIXED = struct.Struct(">4sBBBBIIH16s")
_CRC = struct.Struct(">I")
_ICC = struct.Struct(">II")  # length, CRC-32
_FLAG_ICC, _FLAG_ADAPTIVE = 0x01, 0x02
_OFFSETS = {"version": 4, "flags": 5, "colour": 6, "iterations": 7, "width": 8, "height": 12}
_OFFSETS |= {"tile": 16, "fingerprint": 18, "checksum": 34, "icc_profile": 38}


class ColourMode(IntEnum):
    """What the decoded RGB picture is turned into; the numbers are part of the format."""

    RGB = 0
    GREY = 1


class Tile(NamedTuple):
    """A rectangle of the code map that is coded by itself; in positions, not pixels."""

    y: int
    x: int
    h: int
    w: int

    @property
    def slices(self) -> tuple[slice, slice]:
        """What selects this tile in an array of shape (h, w, ...)."""
        return slice(self.y, self.y + self.h), slice(self.x, self.x + self.w)


@dataclass(frozen=True, kw_only=True)
class Header:
    """All that precedes the first iteration; raises BitstreamError on a field out of range.

    `iterations` is how many the file was written with; a file that was cut has fewer. `tile` is
    the side of a tile in pixels, a multiple of 16, or 0 if the image is coded in one piece.
    `fingerprint` are the 16 bytes that identify the model. `icc_profile` may be empty.
    `adaptive`: positions may end before the file does, and every iteration but the first has a
    mask that says which ones still send.

    >>> header = Header(width=33, height=16, iterations=2, fingerprint=bytes(16))
    >>> header.code_shape, len(header.pack())
    ((1, 3, 32), 38)
    """

    width: int
    height: int
    iterations: int
    fingerprint: bytes
    colour: ColourMode = ColourMode.RGB
    tile: int = 0
    icc_profile: bytes = b""
    adaptive: bool = False

    def __post_init__(self) -> None:
        if problem := next(self._problems(), None):
            field, message = problem
            raise BitstreamError(message, _OFFSETS[field])

    def _problems(self) -> Iterator[tuple[str, str]]:
        """Fields out of range, each with a message; what follows the first may be nonsense."""
        if not 1 <= self.iterations <= 255:
            yield "iterations", f"iterations={self.iterations}: expected 1..255"
        for name, side in (("width", self.width), ("height", self.height)):
            if not 1 <= side < 1 << 32:
                expected = "1 or more (an image without pixels has no file)"
                yield name, f"{name}={side}: expected {expected}"
        if self.tile % BLOCK or not 0 <= self.tile // BLOCK < 1 << 16:
            yield "tile", f"tile={self.tile}: expected a multiple of {BLOCK}, or 0"
        h, w, _ = self.code_shape
        blocks, size = f"blocks of {BLOCK}x{BLOCK}", f"{self.width}x{self.height} pixels"
        if h * w > MAX_POSITIONS:
            most = f"this format holds at most {MAX_POSITIONS}"
            yield "width", f"{size} are {h * w} {blocks}; {most}"
        piece = min(self._tile_side, h) * min(self._tile_side, w)
        if piece > MAX_PIECE:
            most = f"at most {MAX_PIECE}, so take tiles of up to 4096 pixels"
            yield "tile", f"tile={self.tile} leaves pieces of {piece} {blocks}; {most}"
        if self.tile_count > MAX_TILES:
            most = f"at most {MAX_TILES}, so take larger ones"
            yield "tile", f"tile={self.tile} cuts {size} into {self.tile_count} tiles; {most}"
        if (length := len(self.fingerprint)) != FINGERPRINT_SIZE:
            yield "fingerprint", f"fingerprint: expected {FINGERPRINT_SIZE} bytes, got {length}"
        if (length := len(self.icc_profile)) > MAX_ICC_PROFILE:
            yield "icc_profile", f"colour profile of {length} bytes: at most {MAX_ICC_PROFILE}"

    def with_iterations(self, iterations: int) -> "Header":
        """Return the same header for another number of iterations."""
        return dataclasses.replace(self, iterations=iterations)

    @property
    def code_shape(self) -> tuple[int, int, int]:
        """Shape (h, w, 32) of the codes of one iteration."""
        return -(-self.height // BLOCK), -(-self.width // BLOCK), BITS

    @property
    def raw_size(self) -> int:
        """Bytes of one iteration's codes, packed: no segment has more."""
        h, w, bits = self.code_shape
        return h * w * bits // 8

    def masked(self, iteration: int) -> bool:
        """Whether an iteration, counted from 1, has a mask."""
        return self.adaptive and iteration > 1

    @property
    def masked_limit(self) -> int:
        """Bytes that a masked segment's payload cannot exceed: twice its codes, packed.

        Nor has it more than a tag can state; a raw one, with h*w under 2^24, always fits.
        """
        return min(2 * self.raw_size, MAX_PAYLOAD)

    @property
    def _tile_side(self) -> int:
        return self.tile // BLOCK or max(self.code_shape[:2])

    @property
    def tile_count(self) -> int:
        """Number of tiles; 1 if the image is coded in one piece."""
        h, w, _ = self.code_shape
        return -(-h // self._tile_side) * -(-w // self._tile_side)

    def tiles(self) -> Iterator[Tile]:
        """Yield the tiles in raster order; they cover the code map without overlap."""
        (h, w, _), side = self.code_shape, self._tile_side
        for y in range(0, h, side):
            for x in range(0, w, side):
                yield Tile(y, x, min(side, h - y), min(side, w - x))

    @cached_property
    def _packed(self) -> tuple[bytes, int]:
        flags = _FLAG_ICC * bool(self.icc_profile) | _FLAG_ADAPTIVE * self.adaptive
        fields = _FIXED.pack(
            *(MAGIC, VERSION, flags, self.colour, self.iterations),
            *(self.width, self.height, self.tile // BLOCK, self.fingerprint),
        )
        crc = zlib.crc32(fields)
        packed = fields + _CRC.pack(crc)
        if self.icc_profile:
            crc = zlib.crc32(self.icc_profile, crc)
            packed += _ICC.pack(len(self.icc_profile), crc) + self.icc_profile
        return packed, crc

    def pack(self) -> bytes:
        """Return the bytes of the header, colour profile included."""
        return self._packed[0]

    @property
    def checksum(self) -> int:
        """The last CRC-32 in the header: the seed of the first segment's."""
        return self._packed[1]


def required_size(data: bytes | bytearray) -> int:
    """Return how many bytes the header that starts `data` has, as far as `data` tells.

    That is the smallest size that the bytes seen so far allow: it may grow with more data.

    Raises:
        BitstreamError: `data` begins another kind of file, or a version or size unknown here.
    """
    start = bytes(data[: len(MAGIC)])
    if not MAGIC.startswith(start):
        raise BitstreamError(
            f"not an rnc file: starts with {start!r}, expected {MAGIC!r}", 0, kind="foreign"
        )
    if len(data) > _OFFSETS["version"] and data[4] != VERSION:
        raise BitstreamError(
            f"format version {data[4]}: this program reads version {VERSION}; "
            "a newer version of rnncodec may be needed",
            _OFFSETS["version"],
            kind="newer",
        )
    if len(data) < FIXED_SIZE:
        return FIXED_SIZE
    if _CRC.unpack_from(data, _FIXED.size) != (zlib.crc32(data[: _FIXED.size]),):
        raise BitstreamError("the header is damaged (its checksum differs)", _OFFSETS["checksum"])
    flags = data[_OFFSETS["flags"]]
    if flags & ~(_FLAG_ICC | _FLAG_ADAPTIVE):
        raise _newer("flags", flags)
    if not flags & _FLAG_ICC:
        return FIXED_SIZE
    if len(data) < FIXED_SIZE + _ICC.size:
        return FIXED_SIZE + _ICC.size
    length, _ = _ICC.unpack_from(data, FIXED_SIZE)
    if not 1 <= length <= MAX_ICC_PROFILE:
        raise BitstreamError(
            f"colour profile of {length} bytes: expected 1..{MAX_ICC_PROFILE}", FIXED_SIZE
        )
    return FIXED_SIZE + _ICC.size + int(length)


def unpack(data: bytes) -> Header:
    """Read the header from exactly the `required_size(data)` bytes it has.

    Raises:
        BitstreamError: a checksum or a field is wrong; names the offset.
    """
    *_, flags, colour, iterations, width, height, blocks, fingerprint = _FIXED.unpack_from(data)
    if colour not in tuple(ColourMode):
        raise _newer("colour", colour)
    header = Header(
        width=width,
        height=height,
        iterations=iterations,
        fingerprint=fingerprint,
        colour=ColourMode(colour),
        tile=blocks * BLOCK,
        icc_profile=data[FIXED_SIZE + _ICC.size :],
        adaptive=bool(flags & _FLAG_ADAPTIVE),
    )
    if header.pack() != data:  # the fixed part has been checked, so this is the other one
        raise BitstreamError("the colour profile is damaged (its checksum differs)", FIXED_SIZE)
    return header


def _newer(field: str, value: int) -> BitstreamError:
    return BitstreamError(
        f"{field}={value} is unknown here; a newer version of rnncodec is needed",
        _OFFSETS[field],
        kind="newer",
    )
