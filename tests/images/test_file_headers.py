import io
import struct

import numpy as np
import pytest
from PIL import Image
from tests.images.forged import AVIF_10, black_png, chunk, saved

from rnncodec.coding.input_image import from_image
from rnncodec.errors import DataError
from rnncodec.images.discarded import DEPTH
from rnncodec.images.file_headers import (
    avif_depth,
    boxes,
    file_bytes,
    is_cut,
    is_jpeg_xl,
    jpeg_xl_header,
    png_chunks,
)
from rnncodec.images.reading import open_image

RGB = Image.new("RGB", (16, 8), "red")


def test_boxes_end_where_they_say() -> None:
    data = struct.pack(">I4s", 12, b"one ") + b"abcd"
    data += (
        struct.pack(">I4sQ", 1, b"two ", 20) + b"abcd" + struct.pack(">I4s", 0, b"rest") + b"ab"
    )
    assert list(boxes(data)) == [(b"one ", 8, 12), (b"two ", 28, 32), (b"rest", 40, 42)]
    assert list(boxes(struct.pack(">I4s", 3, b"odd "))) == []


def test_chunks_without_pixels() -> None:
    found = png_chunks(black_png(chunk(b"gAMA", b"1234")))
    assert sorted(found) == [b"IEND", b"IHDR", b"gAMA"]
    assert found[b"gAMA"] == b"1234"
    assert png_chunks(b"") == {}


def test_the_depth_of_avif() -> None:
    assert avif_depth(AVIF_10) == 10
    assert avif_depth(AVIF_10.replace(b"\x81\x20\x40", b"\x81\x20\x60")) == 12
    assert avif_depth(b"no AVIF") == 8


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("WEBP", {}),
        ("JPEG2000", {}),
        ("JPEG2000", {"no_jp2": True}),
    ],
)
def test_a_cut_file_is_known_by_its_lengths(kind: str, options: dict) -> None:
    data = saved(RGB, kind, **options)
    assert not is_cut(data)
    assert all(is_cut(data[:-k]) for k in (1, 9, len(data) // 2))


def test_a_tiff_that_ends_before_its_directory_does() -> None:
    data = saved(RGB, "TIFF", compression="tiff_lzw")  # which libtiff puts behind the pixels
    assert not is_cut(data)
    assert is_cut(data[:100])
    assert is_cut(data[:50])


def test_a_cut_avif() -> None:
    assert not is_cut(AVIF_10)
    assert all(is_cut(AVIF_10[:-k]) for k in range(1, len(AVIF_10) - 12))


def test_the_bytes_of_a_file_are_there_until_it_is_loaded() -> None:
    data = saved(RGB, "PNG")
    image = Image.open(io.BytesIO(data))
    assert file_bytes(image) == data
    image.load()
    assert file_bytes(image) == b""
    assert image.getpixel((0, 0)) == (255, 0, 0)
    assert file_bytes(RGB) == b""


def bits(*fields: tuple[int, int]) -> bytes:
    """Values and their lengths in bits, least significant first, after the mark of JPEG XL."""
    text = "".join(f"{value:0{length}b}"[::-1] for value, length in fields if length)
    whole = int(text[::-1], 2).to_bytes(32, "little")
    return b"\xff\x0a" + whole


SMALL = [(1, 1), (1, 5), (1, 3)]  # a height of 16, a width of the same
LARGE = [(0, 1), (2, 2), (4000, 18), (0, 3), (1, 2), (4999, 13)]


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (bits(*SMALL, (1, 1)), (16, 16, 8, False)),
        (bits(*SMALL, (0, 1), (0, 1), (0, 1), (0, 2)), (16, 16, 8, False)),
        (bits(*SMALL, (0, 1), (0, 1), (0, 1), (1, 2)), (16, 16, 10, False)),
        (bits(*LARGE, (0, 1), (0, 1), (0, 1), (3, 2), (15, 6)), (5000, 4001, 16, False)),
        (bits(*LARGE, (0, 1), (0, 1), (1, 1), (1, 2)), (5000, 4001, 16, False)),  # half floats
        (
            bits(
                *SMALL, (0, 1), (1, 1), (5, 3), (0, 1), (0, 1),
                (1, 1), (0, 2), (1, 2), (1, 2), (3, 3), (0, 1),
                (0, 1), (2, 2),
            ),
            (16, 16, 12, True),
        ),
        (b"\xff\xd8 no JPEG XL", (0, 0, 8, False)),
        (b"", (0, 0, 8, False)),
    ],
)  # fmt: skip
def test_the_header_of_jpeg_xl(header: bytes, expected: tuple) -> None:
    assert jpeg_xl_header(header) == expected


@pytest.mark.parametrize("container", [False, True])
def test_the_header_of_jpeg_xl_as_libjxl_writes_it(container: bool) -> None:
    pytest.importorskip("pillow_jxl")
    for image, depth in ((RGB, 8), (Image.new("I;16", (300, 7)), 16)):
        data = saved(image, "JXL", lossless=True, use_container=container)
        assert is_jpeg_xl(data)
        assert jpeg_xl_header(data) == (*image.size, depth, False)


def test_jpeg_xl_of_10_bits_is_decoded_to_8_which_its_header_tells() -> None:
    pytest.importorskip("pillow_jxl")
    noise = Image.fromarray(np.random.default_rng(5).integers(0, 256, (8, 16, 3), np.uint8))
    data = flip(saved(noise, "JXL", lossless=True), sum(length for _, length in SMALL) + 3)
    with Image.open(io.BytesIO(data)) as opened:
        assert opened.mode == "RGB"
        assert from_image(opened).notes == [DEPTH]


def flip(data: bytes, bit: int) -> bytes:
    changed = bytearray(data)
    changed[2 + bit // 8] ^= 1 << bit % 8
    return bytes(changed)


def test_too_many_pixels_are_refused_before_they_are_decoded(monkeypatch, tmp_path) -> None:
    pytest.importorskip("pillow_jxl")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    (tmp_path / "a.jxl").write_bytes(saved(RGB, "JXL"))
    for source in (tmp_path / "a.jxl", io.BytesIO(saved(RGB, "JXL", use_container=True))):
        with (
            pytest.raises(DataError, match="16x8 pixels are more than Pillow's limit, 100"),
            open_image(source),
        ):
            pass
