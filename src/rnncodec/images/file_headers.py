"""What the bytes of a picture file say that Pillow does not tell: depth, colours, a cut end."""

import struct
from collections.abc import Iterator
from typing import Any, NamedTuple

from PIL import Image

_JPEG2000_START = b"\xff\x4f\xff\x51"  # SOC and SIZ, the first markers of a codestream
_BOXED = (b"ftyp", b"jP  ", b"JXL ")  # the first box of AVIF and HEIF, of JPEG 2000, of JPEG XL

_HOLD_PIXELS = (b"mdat", b"jp2c", b"jxlc", b"jxlp")

_JXL_CODESTREAM = b"\xff\x0a"
_JXL_CONTAINER = b"\x00\x00\x00\x0cJXL \r\n\x87\n"
_JXL_RATIOS = ((1, 1), (12, 10), (4, 3), (3, 2), (16, 9), (5, 4), (2, 1))
_JXL_SIDE = ((1, 9), (1, 13), (1, 18), (1, 30))
_JXL_LONGEST = 64  # bytes, more than what is read here can take


def file_bytes(image: Image.Image) -> bytes:
    """The whole file of an image that Pillow opened and has not decoded yet; otherwise empty."""
    held = getattr(image, "fc", None)  # the JPEG XL plugin reads its file while opening it
    if isinstance(held, bytes):
        return held
    file = getattr(image, "fp", None)
    if file is None or not getattr(image, "tile", None):
        return b""
    position = file.tell()
    file.seek(0)
    data = bytes(file.read())
    file.seek(position)
    return data


def tiff_tags(image: Image.Image) -> Any:
    """The tags of a TIFF that Pillow opened, by number; of other images none."""
    return getattr(image, "tag_v2", {}) if image.format == "TIFF" else {}


def png_chunks(data: bytes) -> dict[bytes, bytes]:
    """The chunks of a PNG file by their type, pixels left out; of several the first."""
    found: dict[bytes, bytes] = {}
    position = 8
    while position + 8 <= len(data):
        length, kind = struct.unpack_from(">I4s", data, position)
        if kind not in (b"IDAT", b"fdAT"):
            found.setdefault(kind, data[position + 8 : position + 8 + length])
        position += length + 12
    return found


def boxes(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """The boxes of AVIF, JPEG 2000 or JPEG XL: type, where the content starts, where it ends.

    The end is what the box itself says: behind the end of the data, if these were cut.
    """
    position = 0
    while position + 8 <= len(data):
        size, kind = struct.unpack_from(">I4s", data, position)
        start = position + 8
        if size == 1 and start + 8 <= len(data):
            size, start = struct.unpack_from(">Q", data, start)[0], start + 8
        end = position + size if size else len(data)
        if end < start:
            return
        yield kind, start, end
        position = end


def contents(data: bytes, *path: bytes) -> Iterator[bytes]:
    """The content of every box at a path of types, outermost first."""
    kind, *inner = path
    for found, start, end in boxes(data):
        if found == kind:
            # a `meta` box has version and flags before the boxes in it
            content = data[start + (4 if kind == b"meta" else 0) : end]
            yield from contents(content, *inner) if inner else (content,)


def is_cut(data: bytes) -> bool:
    """Whether a file ends before its own lengths say; False where its format states none."""
    if data[:4] == b"RIFF" and len(data) >= 8:
        return len(data) < 8 + int(struct.unpack_from("<I", data, 4)[0])
    if data[4:8] in _BOXED:
        found = list(boxes(data))
        ends = [end for _, _, end in found]
        whole = ends[-1] <= len(data) and not 0 < len(data) - ends[-1] < 8 if ends else False
        return not (whole and any(kind in _HOLD_PIXELS for kind, _, _ in found))
    if data[:4] == _JPEG2000_START:
        return data[-2:] != b"\xff\xd9"
    if data[:4] in (b"II*\0", b"MM\0*") and len(data) >= 8:
        order = "<" if data[:1] == b"I" else ">"
        directory = int(struct.unpack_from(f"{order}I", data, 4)[0])
        if directory + 2 > len(data):
            return True
        entries = int(struct.unpack_from(f"{order}H", data, directory)[0])
        return directory + 2 + 12 * entries + 4 > len(data)
    return False


def jpeg2000_depths(data: bytes) -> list[int]:
    """Bits per sample of each component of a JPEG 2000 file."""
    start = data.find(_JPEG2000_START)
    if start < 0 or start + 42 > len(data):
        return []
    count = struct.unpack_from(">H", data, start + 40)[0]
    return [(ssiz & 0x7F) + 1 for ssiz in data[start + 42 : start + 42 + 3 * count : 3]]


def avif_depth(data: bytes) -> int:
    """Bits per sample of an AVIF file."""
    flags = [part[2] & 0x60 for part in contents(data, b"meta", b"iprp", b"ipco", b"av1C")]
    return {0: 8, 0x40: 10, 0x60: 12}.get(max(flags, default=0), 8)


class JpegXLHeader(NamedTuple):
    """What JPEG XL (ISO/IEC 18181-1) says of an image, as far as its plugin does not tell it."""

    width: int
    height: int
    depth: int = 8  # bits per sample
    animated: bool = False  # has more than one frame


def is_jpeg_xl(data: bytes) -> bool:
    """Whether a file begins as JPEG XL, bare or in a container."""
    return data.startswith((_JXL_CODESTREAM, _JXL_CONTAINER))


def jpeg_xl_header(data: bytes) -> JpegXLHeader:
    """The header of a JPEG XL file; of other files one without pixels."""
    if data.startswith(_JXL_CONTAINER):
        parts = []
        for kind, start, end in boxes(data):
            if kind in (b"jxlc", b"jxlp"):
                # a box `jxlp` has its number before its part of the codestream
                first = start + 4 * (kind == b"jxlp")
                parts.append(data[first : min(start + _JXL_LONGEST, end)])
        data = b"".join(parts)
    if not data.startswith(_JXL_CODESTREAM):
        return JpegXLHeader(0, 0)
    bits = _Bits(data[2:_JXL_LONGEST])
    return JpegXLHeader(*_jxl_size(bits), *_jxl_metadata(bits))


class _Bits:
    """Bits of a header, least significant first."""

    def __init__(self, data: bytes) -> None:
        self._rest = int.from_bytes(data, "little")

    def take(self, count: int) -> int:
        value = self._rest & ((1 << count) - 1)
        self._rest >>= count
        return value

    def choose(self, *choices: tuple[int, int]) -> int:
        """One of four (base, number of bits to add), which two bits name."""
        base, count = choices[self.take(2)]
        return base + self.take(count)


def _jxl_size(bits: _Bits) -> tuple[int, int]:
    """SizeHeader: width and height."""
    small = bits.take(1)
    height = 8 * (bits.take(5) + 1) if small else bits.choose(*_JXL_SIDE)
    if ratio := bits.take(3):
        across, down = _JXL_RATIOS[ratio - 1]
        return height * across // down, height
    return 8 * (bits.take(5) + 1) if small else bits.choose(*_JXL_SIDE), height


def _jxl_metadata(bits: _Bits) -> tuple[int, bool]:
    """The start of ImageMetadata: bits per sample, and whether it is an animation."""
    animated = False
    if bits.take(1):  # all by default
        return 8, False
    if bits.take(1):  # extra fields
        bits.take(3)  # orientation
        if bits.take(1):
            _jxl_size(bits)  # intrinsic
        if bits.take(1):  # a preview, which nobody writes: what follows is not read
            return 8, False
        animated = bool(bits.take(1))
        if animated:
            bits.choose((100, 0), (1000, 0), (1, 10), (1, 30))  # ticks: numerator
            bits.choose((1, 0), (1001, 0), (1, 8), (1, 10))  # denominator
            bits.choose((0, 0), (0, 3), (0, 16), (0, 32))  # loops
            bits.take(1)  # time codes
    if bits.take(1):  # float samples
        return bits.choose((32, 0), (16, 0), (24, 0), (1, 6)), animated
    return bits.choose((8, 0), (10, 0), (12, 0), (1, 6)), animated
