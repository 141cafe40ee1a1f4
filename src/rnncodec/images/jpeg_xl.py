"""The header of JPEG XL (ISO/IEC 18181-1), as far as its plugin for Pillow does not tell it."""

from typing import NamedTuple

from rnncodec.images.file_headers import boxes

_CODESTREAM = b"\xff\x0a"
_CONTAINER = b"\x00\x00\x00\x0cJXL \r\n\x87\n"
_RATIOS = ((1, 1), (12, 10), (4, 3), (3, 2), (16, 9), (5, 4), (2, 1))
_SIDE = ((1, 9), (1, 13), (1, 18), (1, 30))
_LONGEST = 64  # bytes, more than what is read here can take


class JpegXLHeader(NamedTuple):
    """Pixels across and down, bits per sample, and whether there is more than one frame."""

    width: int
    height: int
    depth: int = 8
    animated: bool = False


def is_jpeg_xl(data: bytes) -> bool:
    """Whether a file begins as JPEG XL, bare or in a container."""
    return data.startswith((_CODESTREAM, _CONTAINER))


def jpeg_xl_header(data: bytes) -> JpegXLHeader:
    """The header of a JPEG XL file; of other files one without pixels."""
    if data.startswith(_CONTAINER):
        parts = (
            (kind, data[start : min(start + _LONGEST, end)]) for kind, start, end in boxes(data)
        )
        # a box `jxlp` has its number before its part of the codestream
        data = b"".join(
            part[4 * (kind == b"jxlp") :] for kind, part in parts if kind in (b"jxlc", b"jxlp")
        )
    if not data.startswith(_CODESTREAM):
        return JpegXLHeader(0, 0)
    bits = _Bits(data[2:_LONGEST])
    return JpegXLHeader(*_size(bits), *_metadata(bits))


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


def _size(bits: _Bits) -> tuple[int, int]:
    """SizeHeader: width and height."""
    small = bits.take(1)
    height = 8 * (bits.take(5) + 1) if small else bits.choose(*_SIDE)
    if ratio := bits.take(3):
        across, down = _RATIOS[ratio - 1]
        return height * across // down, height
    return 8 * (bits.take(5) + 1) if small else bits.choose(*_SIDE), height


def _metadata(bits: _Bits) -> tuple[int, bool]:
    """The start of ImageMetadata: bits per sample, and whether it is an animation."""
    animated = False
    if bits.take(1):  # all by default
        return 8, False
    if bits.take(1):  # extra fields
        bits.take(3)  # orientation
        if bits.take(1):
            _size(bits)  # intrinsic
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
