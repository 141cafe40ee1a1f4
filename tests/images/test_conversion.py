"""What a picture's samples mean, by what its file says: polarity, depth, transparency, turning."""

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.images.forged import chunk, jp2_with_palette, jpeg2000_of_depth, png, saved, tiff

from rnncodec.coding.input_image import from_image
from rnncodec.data.photos import FolderPhotos
from rnncodec.errors import DataError
from rnncodec.images.conversion import convert
from rnncodec.images.reading import open_image, read_image, read_size, to_rgb
from rnncodec.prepare.extractor import TileExtractor
from rnncodec.prepare.settings import Settings
from rnncodec.prepare.sources import Files

UNSIGNED, SIGNED, FLOAT = ((339, 3, kind) for kind in (1, 2, 3))
WHITE_IS_ZERO, BLACK_IS_ZERO, YCBCR = 0, 1, 6

UPRIGHT = {
    1: lambda x: x,
    2: lambda x: x[:, ::-1],
    3: lambda x: x[::-1, ::-1],
    4: lambda x: x[::-1],
    5: lambda x: x.transpose(1, 0, 2),
    6: lambda x: np.rot90(x, -1),
    7: lambda x: x[::-1, ::-1].transpose(1, 0, 2),
    8: np.rot90,
}


def noise() -> np.ndarray:
    return np.random.default_rng(3).integers(0, 256, (3, 5, 3), np.uint8)


def first_row(data: bytes) -> list:
    with open_image(io.BytesIO(data)) as image:
        pixels = to_rgb(image)[0]
    grey = (pixels == pixels[:, :1]).all()
    return pixels[:, 0].tolist() if grey else pixels.tolist()


def turned(kind: str, orientation: int) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = orientation
    lossless = {"lossless": True} if kind == "WEBP" else {}
    return saved(Image.fromarray(noise()), kind, exif=exif, **lossless)


@pytest.mark.parametrize("orientation", UPRIGHT)
@pytest.mark.parametrize("kind", ["PNG", "TIFF", "WEBP"])
def test_a_picture_is_turned_once(tmp_path: Path, kind: str, orientation: int) -> None:
    path = tmp_path / f"turned.{kind.lower()}"
    path.write_bytes(turned(kind, orientation))
    upright = UPRIGHT[orientation](noise())
    np.testing.assert_array_equal(read_image(path), upright)
    assert read_size(path) == (upright.shape[1], upright.shape[0])


@pytest.mark.parametrize("loaded", [False, True])
def test_a_compressed_tiff_is_turned_once(loaded: bool) -> None:
    data = saved(Image.fromarray(noise()), "TIFF", compression="tiff_lzw", tiffinfo={274: 6})
    image = Image.open(io.BytesIO(data))
    if loaded:
        image.load()
    np.testing.assert_array_equal(to_rgb(image), np.rot90(noise(), -1))


def test_a_tiff_is_turned_once_wherever_pictures_are_read(tmp_path: Path) -> None:
    (tmp_path / "a.tif").write_bytes(turned("TIFF", 6))
    workshop = TileExtractor(Files(tmp_path), Settings())
    entry = next(workshop.source.entries(next(iter(workshop.source.items()))))
    with open_image(tmp_path / "a.tif") as image:
        found = [FolderPhotos(tmp_path).load(0), workshop._read(entry), from_image(image).pixels]
    for pixels in found:
        np.testing.assert_array_equal(pixels, np.rot90(noise(), -1))


def test_jpeg_xl_is_turned_by_its_decoder_alone() -> None:
    pytest.importorskip("pillow_jxl")
    exif = Image.Exif()
    exif[0x0112] = 6  # beside a codestream that says upright, which counts
    image = Image.fromarray(noise())
    data = saved(image, "JXL", lossless=True, exif=exif.tobytes())
    with open_image(io.BytesIO(data)) as opened:
        np.testing.assert_array_equal(to_rgb(opened), noise())


@pytest.mark.parametrize(
    ("data", "row"),
    [
        (tiff(2, 12, BLACK_IS_ZERO, b"\x00\x0f\xff"), [0, 255]),
        (tiff(2, 16, BLACK_IS_ZERO, struct.pack("<2H", 0, 65535)), [0, 255]),
        (tiff(2, 16, BLACK_IS_ZERO, struct.pack(">2H", 0, 65535), order=">"), [0, 255]),
        (tiff(3, 16, WHITE_IS_ZERO, struct.pack("<3H", 0, 257 * 3, 65535)), [255, 252, 0]),
        (tiff(2, 8, WHITE_IS_ZERO, bytes([0, 255])), [255, 0]),
        (tiff(2, 32, BLACK_IS_ZERO, struct.pack("<2I", 0, 2**32 - 1), [UNSIGNED]), [0, 255]),
        (tiff(2, 32, BLACK_IS_ZERO, struct.pack("<2I", 1 << 31, 1 << 24), [UNSIGNED]), [128, 1]),
        (tiff(2, 32, BLACK_IS_ZERO, struct.pack("<2f", 0, 0.2), [FLOAT]), [0, 51]),
        (tiff(2, 32, WHITE_IS_ZERO, struct.pack("<2f", 0, 0.2), [FLOAT]), [255, 204]),
    ],
)
def test_tiff_samples_by_depth_and_polarity(data: bytes, row: list[int]) -> None:
    assert first_row(data) == row


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (tiff(2, 8, BLACK_IS_ZERO, bytes([0, 255]), [SIGNED]), "signed samples"),
        (tiff(2, 16, BLACK_IS_ZERO, bytes(4), [SIGNED]), "signed samples"),
        (tiff(2, 32, BLACK_IS_ZERO, bytes(8), [SIGNED]), "signed samples"),
        (
            tiff(2, 12, WHITE_IS_ZERO, bytes(3)),
            r"BitsPerSample \(12,\), PhotometricInterpretation 0, .*; convert it to 8 or 16 bits",
        ),
        (tiff(2, 16, WHITE_IS_ZERO, bytes(4), order=">"), r"BitsPerSample \(16,\)"),
    ],
)
def test_tiff_samples_without_a_sure_meaning_are_refused(data: bytes, message: str) -> None:
    with pytest.raises(DataError, match=message):
        first_row(data)


def test_subsampled_ycbcr_without_compression_is_refused() -> None:
    image = Image.new("YCbCr", (4, 4), (90, 128, 128))
    data = saved(image, "TIFF")  # which states that nothing is subsampled
    assert first_row(data) == [90] * 4
    with pytest.raises(DataError, match="subsampled YCbCr"):
        first_row(saved(image, "TIFF", tiffinfo={530: (2, 2)}))


def test_floats_that_pillow_takes_in_the_wrong_order_are_refused() -> None:
    def floats(order: str) -> bytes:
        strip = zlib.compress(struct.pack(f"{order}2f", 0, 0.2))
        return tiff(2, 32, BLACK_IS_ZERO, strip, [FLOAT], order, compression=8)

    assert first_row(floats("<")) == [0, 51]
    with pytest.raises(DataError, match="compressed TIFF of big-endian floats"):
        first_row(floats(">"))


def test_fits_above_8_bits_is_refused() -> None:
    cards = [
        "SIMPLE  =  T",
        "BITPIX  =  16",
        "NAXIS   =  2",
        "NAXIS1  =  2",
        "NAXIS2  =  1",
        "END",
    ]
    header = "".join(card.ljust(80) for card in cards).ljust(2880)
    with pytest.raises(DataError, match="FITS file, whose black and white are unknown"):
        first_row(header.encode() + bytes(2880))


def grey(depth: int, *values: int) -> bytes:
    """Grey values of less than a byte, in one row."""
    bits = "".join(f"{value:0{depth}b}" for value in values)
    return int(bits.ljust(8, "0"), 2).to_bytes(1)


@pytest.mark.parametrize(
    ("depth", "colour", "row", "transparent", "shown"),
    [
        (1, 0, grey(1, 0, 1), (0,), [255, 255]),
        (2, 0, grey(2, 1, 2), (1,), [255, 170]),
        (4, 0, grey(4, 3, 4), (3,), [255, 68]),
        (8, 0, bytes([7, 8]), (7,), [255, 8]),
        (8, 0, bytes([7, 8]), (0x0107,), [255, 8]),  # only the low bits count
        (16, 0, struct.pack(">2H", 1000, 1001), (1000,), [255, 4]),
        (8, 2, bytes([1, 2, 3, 1, 2, 4]), (1, 2, 3), [[255] * 3, [1, 2, 4]]),
        (
            16,
            2,
            struct.pack(">6H", 0x0102, 0x0203, 0x0304, 0x0102, 0x0203, 0x0305),
            (0x0102, 0x0203, 0x0304),
            [[255] * 3, [1, 2, 3]],
        ),
        (16, 2, struct.pack(">6H", 5, 5, 5, 6, 6, 6), (5, 5, 5), [255, 0]),
    ],
)
def test_the_transparent_colour_of_png(depth, colour, row, transparent, shown) -> None:
    trns = chunk(b"tRNS", struct.pack(f">{len(transparent)}H", *transparent))
    data = png((2, 1), depth, colour, [row], [trns])
    assert first_row(data) == shown
    assert "transparency" in from_image(Image.open(io.BytesIO(data))).notes[-1]


def test_a_transparent_colour_that_no_pixel_has_is_no_loss() -> None:
    data = png((2, 1), 8, 0, [bytes([7, 8])], [chunk(b"tRNS", b"\0\1")])
    assert from_image(Image.open(io.BytesIO(data))).notes == []


@pytest.mark.parametrize("mode", ["L", "RGB"])
@pytest.mark.parametrize("depth", [1, 2, 4, 7])
def test_jpeg_2000_of_fewer_bits_has_white(mode: str, depth: int) -> None:
    white = Image.new(mode, (8, 8), "white")
    assert first_row(jpeg2000_of_depth(white, depth)) == [255] * 8


@pytest.mark.parametrize("depth", [2, 8])
def test_jpeg_2000_with_a_palette_is_refused(depth: int) -> None:
    with pytest.raises(DataError, match="a JPEG 2000 file with a palette"):
        first_row(jp2_with_palette(depth))


@pytest.mark.parametrize(
    ("values", "dtype", "note"),
    [
        ([0.5, 1.5], np.float32, "values outside 0..1 are not kept: clipped"),
        ([0, 70000], np.int32, "values outside 0..65535 are not kept: clipped"),
        ([0, 1], np.float32, None),
    ],
)
def test_clipping_is_noted(values: list, dtype: type, note: str | None) -> None:
    image = Image.fromarray(np.array([values], dtype))
    assert convert(image).notes == ([] if note is None else [note])
