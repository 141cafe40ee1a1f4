import io
import struct

import pytest
from PIL import Image
from tests.images.forged import AVIF_10, black_png, chunk, saved

from rnncodec.images.file_headers import (
    avif_depth,
    boxes,
    file_bytes,
    is_cut,
    png_chunks,
)

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
