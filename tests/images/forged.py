"""Picture files made byte by byte, so that what they say is certain."""

import base64
import io
import struct
import zlib
from collections.abc import Sequence
from typing import Any

from PIL import Image


def saved(image: Image.Image, kind: str, **options: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png(
    size: tuple[int, int],
    depth: int,
    colour: int,
    rows: Sequence[bytes],
    before: Sequence[bytes] = (),
    after: Sequence[bytes] = (),
) -> bytes:
    header = struct.pack(">IIBBBBB", *size, depth, colour, 0, 0, 0)
    pixels = chunk(b"IDAT", zlib.compress(b"".join(b"\0" + row for row in rows)))
    body = chunk(b"IHDR", header) + b"".join(before) + pixels + b"".join(after)
    return b"\x89PNG\r\n\x1a\n" + body + chunk(b"IEND", b"")


def black_png(*before: bytes, after: Sequence[bytes] = ()) -> bytes:
    """Two black pixels of RGB, with further chunks."""
    return png((2, 1), 8, 2, [bytes(6)], before, after)


def tiff(
    width: int,
    bits: int,
    photometric: int,
    strip: bytes,
    more: Sequence[tuple[int, int, int]] = (),
    order: str = "<",
    compression: int = 1,
) -> bytes:
    """One row in one strip; `more` are tags, types and values. Only SHORT and LONG values."""
    tags = [
        (256, 3, width),
        (257, 3, 1),
        (258, 3, bits),
        (259, 3, compression),
        (262, 3, photometric),
    ]
    tags += [(273, 4, 8), (277, 3, 1), (278, 3, 1)]
    tags += [(279, 4, len(strip)), *more]
    strip += b"\0" * (len(strip) & 1)
    entries = b"".join(
        struct.pack(f"{order}HHI", tag, kind, 1)
        + struct.pack(
            f"{order}{'HH' if kind == 3 else 'I'}", *([value, 0][: 2 if kind == 3 else 1])
        )
        for tag, kind, value in sorted(tags)
    )
    mark = b"II" if order == "<" else b"MM"
    return (
        struct.pack(f"{order}2sHI", mark, 42, 8 + len(strip))
        + strip
        + struct.pack(f"{order}H", len(tags))
        + entries
        + bytes(4)
    )


def jpeg2000_of_depth(image: Image.Image, depth: int) -> bytes:
    """A JPEG 2000 codestream whose header states another depth than it was written with."""
    data = bytearray(saved(image, "JPEG2000", no_jp2=True))
    start = data.index(b"\xff\x4f\xff\x51") + 42
    for component in range(len(image.getbands())):
        data[start + 3 * component] = depth - 1
    return bytes(data)


def jp2_with_palette(depth: int) -> bytes:
    """A JP2 file of 8x8 indices, all of them the last one of a palette, whose colour is red."""
    data = saved(Image.new("L", (8, 8), "white"), "JPEG2000")
    colours = bytes(3 * ((1 << depth) - 1)) + b"\xff\0\0"
    palette = struct.pack(">HB", 1 << depth, 3) + b"\7\7\7" + colours
    mapping = b"".join(struct.pack(">HBB", 0, 1, channel) for channel in range(3))
    old = struct.pack(">I4sBBBI", 15, b"colr", 1, 0, 0, 17)
    new = struct.pack(">I4sBBBI", 15, b"colr", 1, 0, 0, 16)
    for kind, content in ((b"pclr", palette), (b"cmap", mapping)):
        new += struct.pack(">I4s", 8 + len(content), kind) + content
    start = data.index(b"jp2h")
    size = struct.unpack(">I", data[start - 4 : start])[0] + len(new) - len(old)
    made = bytearray(data[: start - 4] + struct.pack(">I", size) + data[start:].replace(old, new))
    made[made.index(b"\xff\x4f\xff\x51") + 42] = depth - 1
    return bytes(made)


def with_box(data: bytes, old: bytes, new: bytes) -> bytes:
    """A file of which bytes of the same length are replaced, once."""
    assert data.count(old) == 1
    assert len(old) == len(new)
    return data.replace(old, new)


EXIF = b"II*\0" + struct.pack("<IHHHI4sI", 8, 1, 0x8298, 2, 4, b"me.\0", 0)
"""EXIF data that names a copyright."""

SGI_16 = struct.pack(">HBBHHHHII", 474, 0, 2, 3, 2, 1, 3, 0, 65535).ljust(512, b"\0") + bytes(12)
PPM_16 = b"P6\n2 1\n65535\n" + bytes(12)
PLAIN_PPM_16 = b"P3\n2 1\n1000\n" + b"0 " * 6

JP2_16 = base64.b64decode(
    "AAAADGpQICANCocKAAAAFGZ0eXBqcDIgAAAAAGpwMiAAAAAtanAyaAAAABZpaGRyAAAAEAAAABAAAw8HAAAAAAAPY29scgEA"
    "AAAAABAAAAJhanAyY/9P/1EALwAAAAAAEAAAABAAAAAAAAAAAAAAABAAAAAQAAAAAAAAAAAAAw8BAQ8BAQ8BAf9SAAwAAAAB"
    "AQEEBAAB/1wAB0CAiIiQ/2QAJQABQ3JlYXRlZCBieSBPcGVuSlBFRyB2ZXJzaW9uIDIuNS40/5AACgAAAAAB5gAB/5PP/DHw"
    "EVAVenrTtajIt2GCSgdxRUQ3A4hFULNZZaLNdxy0Swg219XJPkkzw1ca2AGxxxYFmD5fZf93h41dLVwVGOgXOnIfK25O3J7i"
    "nIwKPbWzVKH0a0ggeqNyaWbOj4nGeQEUiV6JK8ePEAmj1wV3Cf99P1Fpq2Nvm+b5vm+b5t/4k+gslmiOi9R0AieaLQOtkey2"
    "xW1cwz49uOwZjakiqVzVq7KeaNXOgzkNCUJ17igbrsjfIcC7kgllX+nc5zdQWIqwNQoSDyI2cEwiqkzBmkV0l4l/WMpndJNq"
    "uIYu45Vr28OD02ROVgf9t8xw5pDMEhvjt7TT1IfdcC0MxubJf9/4k1AslmGYlWdUlSoV2s88ZIN9nJg6s4iAzAiRTOGEo7oX"
    "1qbZuHDMGUcuM6+dkI/O+HoTQ06zqX+fJCCXb1nLKhS05WPlhX0QpEC0CltY+KXa8DYUtMnecf8+r22//Gzo8z7QNAs1lWzK"
    "7fXvwH8icB/IYDahhUjHFAADiPl6XJJqbtQvsD89pi7bnVgDcZyE/3/A/wDYH+A4NqGFRRVgHAAbvA//fz5in+37DsAAlay9"
    "u36JwP8A2B/gNDahhUUVYBwAG7wP/38+Yp/tShIC+xEDmP9//9k="
)
"""16x16 pixels in JP2, three components of 16 bits."""

AVIF_10 = base64.b64decode(
    "AAAAIGZ0eXBhdmlmAAAAAGF2aWZtaWYxbWlhZk1BMUEAAADrbWV0YQAAAAAAAAAhaGRscgAAAAAAAAAAcGljdAAAAAAAAAAA"
    "AAAAAAAAAAAOcGl0bQAAAAAAAQAAAB5pbG9jAAAAAEQAAAEAAQAAAAEAAAETAAAANwAAAChpaW5mAAAAAAABAAAAGmluZmUC"
    "AAAAAAEAAGF2MDFDb2xvcgAAAABqaXBycAAAAEtpcGNvAAAAFGlzcGUAAAAAAAAAEAAAABAAAAAQcGl4aQAAAAADCgoKAAAA"
    "DGF2MUOBIEAAAAAAE2NvbHJuY2x4AAIAAgAGgAAAABdpcG1hAAAAAAAAAAEAAQQBAoMEAAAAP21kYXQSAAoIOAz/28CAgaQy"
    "KReCYwTAAPIAAAB1fb5nRWP4hGIoJFv++sVXdlOak2H6VGXZg/gGejls"
)
"""16x16 pixels of 10 bits."""
