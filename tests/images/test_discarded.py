"""What of a file is not kept is noted, each loss by its own words; what is no loss is not."""

import io
import struct

import pytest
from PIL import Image, ImageCms
from tests.images import forged
from tests.images.forged import black_png, chunk, saved, tiff, with_box

from rnncodec.coding.input_image import from_image
from rnncodec.images.discarded import DEPTH, EXIF
from rnncodec.images.reading import open_image

SRGB = " not kept: the colours are taken for sRGB"
NCLX = b"nclx" + struct.pack(">HHHB", 2, 2, 6, 128)
"""The colours of the AVIF file: not stated."""
POINTS = (0.3127, 0.329, 0.64, 0.33, 0.3, 0.6, 0.15, 0.06)
CURRENT = "only the current frame is kept"
LARGEST = "only the largest of its pictures is kept"
REDUCED = "this is a reduced version of another picture in the file, which is not read"
CMYK = "CMYK is converted to RGB by Pillow, without colour management"
RGB = Image.new("RGB", (4, 4))
ADOBE_RGB = Image.Exif()
ADOBE_RGB[0x8769] = {0xA001: 2}
TWO = {"save_all": True, "append_images": [Image.new("RGB", (4, 4), "red")]}


def notes(data: bytes) -> list[str]:
    with open_image(io.BytesIO(data)) as image:
        return from_image(image).notes


def gamma(value: int) -> bytes:
    return chunk(b"gAMA", struct.pack(">I", value))


def points(*values: float) -> bytes:
    return chunk(b"cHRM", struct.pack(">8I", *(round(100000 * value) for value in values)))


def nclx(primaries: int, transfer: int) -> bytes:
    stated = b"nclx" + struct.pack(">HHHB", primaries, transfer, 6, 128)
    return with_box(forged.AVIF_10, NCLX, stated)


def jp2(colour: bytes) -> bytes:
    """A JP2 file that states its colours so."""
    data = saved(RGB, "JPEG2000")
    old = struct.pack(">I4sBBBI", 15, b"colr", 1, 0, 0, 16)
    assert old in data
    new = struct.pack(">I4s", 8 + len(colour), b"colr") + colour
    start = data.index(b"jp2h")
    size = struct.unpack(">I", data[start - 4 : start])[0] + len(new) - len(old)
    return data[: start - 4] + struct.pack(">I", size) + data[start:].replace(old, new, 1)


@pytest.mark.parametrize(
    "data",
    [
        forged.PPM_16,
        forged.PLAIN_PPM_16,
        forged.SGI_16,
        forged.JP2_16,
        forged.AVIF_10,
        forged.png((1, 1), 16, 0, [bytes(2)]),
        forged.png((1, 1), 16, 6, [bytes(6) + b"\xff\xff"]),
        forged.jpeg2000_of_depth(RGB, 10),
        tiff(1, 12, 1, bytes(2)),
    ],
    ids=["ppm", "plain ppm", "sgi", "jp2", "avif", "png", "rgba png", "j2k", "tiff"],
)
def test_more_than_8_bits(data: bytes) -> None:
    assert notes(data) == [DEPTH]


@pytest.mark.parametrize(
    "data",
    [
        b"P6\n2 1\n255\n" + bytes(6),
        b"P6\n2 1\n100\n" + bytes(6),
        b"P1\n2 1\n0 1\n",
        b"P4\n2 1\n\x40",
        b"P2\n2 1\n100\n0 100\n",
        saved(RGB, "SGI"),
        saved(RGB, "JPEG2000"),
        saved(RGB, "JPEG"),
        saved(RGB, "TIFF"),
        saved(RGB, "BMP"),
        black_png(gamma(45455), points(*POINTS)),
        black_png(gamma(100000), chunk(b"sRGB", b"\0")),  # sRGB counts
        black_png(chunk(b"cICP", bytes([1, 13, 0, 1]))),
        jp2(struct.pack(">BBBI", 1, 0, 0, 16)),
    ],
)
def test_no_loss_no_note(data: bytes) -> None:
    assert notes(data) == []


@pytest.mark.parametrize(
    ("data", "note"),
    [
        (black_png(gamma(100000)), f"gAMA is{SRGB}"),
        (black_png(points(0.3127, 0.329, 0.64, 0.33, 0.21, 0.71, 0.15, 0.06)), f"cHRM is{SRGB}"),
        (black_png(gamma(55000), points(*[0.3] * 8)), f"gAMA and cHRM are{SRGB}"),
        (black_png(chunk(b"cICP", bytes([9, 16, 0, 1]))), f"cICP is{SRGB}"),
        (
            black_png(chunk(b"cICP", bytes([9, 16, 0, 1])), chunk(b"mDCV", bytes(24))),
            f"cICP and mDCV are{SRGB}",
        ),
        (black_png(chunk(b"cLLI", bytes(8))), f"cLLI is{SRGB}"),
        (nclx(9, 16), f"the colour space of CICP 9/16 is{SRGB}"),
        (nclx(1, 8), f"the colour space of CICP 1/8 is{SRGB}"),
        (jp2(struct.pack(">BBBI", 1, 0, 0, 21)), f"the colour space 21 of JPEG 2000 is{SRGB}"),
        (tiff(1, 8, 1, b"\0", [(301, 4, 8)]), f"TransferFunction is{SRGB}"),
        (saved(RGB, "TIFF", tiffinfo={319: (0.7,) * 6}), f"PrimaryChromaticities is{SRGB}"),
        (saved(RGB, "JPEG", exif=ADOBE_RGB), f"Adobe RGB, which EXIF states, is{SRGB}"),
        (
            b"BM" + struct.pack("<IHHI", 142, 0, 0, 138)
            + struct.pack("<IiiHHIIiiII", 124, 1, 1, 1, 24, 0, 4, 0, 0, 0, 0)
            + bytes(16) + b"DEBM" + bytes(64) + bytes(4),
            f"the colour profile of a BMP file is{SRGB}",
        ),
    ],
)  # fmt: skip
def test_colours_that_are_not_kept(data: bytes, note: str) -> None:
    assert note in notes(data)


def test_colours_of_avif_that_are_alike_srgb() -> None:
    assert notes(nclx(1, 13)) == [DEPTH]


def test_the_profile_of_a_jpeg_2000_file_is_kept() -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    with open_image(io.BytesIO(jp2(b"\2\0\0" + profile))) as image:
        picture = from_image(image)
    assert (picture.icc_profile, picture.notes) == (profile, [])


@pytest.mark.parametrize(
    ("data", "note"),
    [
        (black_png(chunk(b"eXIf", forged.EXIF)), EXIF),
        (black_png(after=[chunk(b"eXIf", forged.EXIF)]), EXIF),
        (black_png(after=[chunk(b"tEXt", b"Title\0a beach")]), "text is not kept"),
        (saved(RGB, "JPEG", comment=b"a beach"), "text is not kept"),
        (saved(RGB, "JPEG", xmp=b"<x/>", comment=b"a"), "XMP data and text are not kept"),
        (saved(RGB, "WEBP", xmp=b"<x/>"), "XMP data is not kept"),
        (saved(RGB, "TIFF", tiffinfo={315: "me"}), EXIF),
        (saved(RGB, "ICO", sizes=[(2, 2), (4, 4)]), LARGEST),
        (saved(RGB, "GIF", **TWO), CURRENT),
        (saved(RGB, "PNG", **TWO), CURRENT),
        (saved(RGB, "TIFF", **TWO), CURRENT),
        (saved(RGB, "TIFF", tiffinfo={254: 1}), REDUCED),
        (saved(Image.new("RGBX", (4, 4)), "TIFF"), "channels beyond the colours are not kept"),
        (saved(Image.new("CMYK", (4, 4)), "TIFF"), CMYK),
    ],
)
def test_what_else_is_not_kept(data: bytes, note: str) -> None:
    assert notes(data) == [note]


def test_a_picture_that_is_loaded_still_tells_its_colours() -> None:
    image = Image.open(io.BytesIO(black_png(gamma(100000))))
    image.load()
    assert from_image(image).notes == [f"gAMA is{SRGB}"]


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "WEBP", "JPEG2000", "GIF", "BMP", "AVIF"])
def test_a_picture_that_is_loaded_loses_no_more(kind: str) -> None:
    image = Image.open(io.BytesIO(saved(RGB, kind)))
    image.load()
    assert from_image(image).notes == []
