import io
import struct
import warnings
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageFile, ImageOps
from tests.images.forged import AVIF_10, saved

from rnncodec.coding.input_image import from_image
from rnncodec.data.photos import FolderPhotos
from rnncodec.errors import ConfigError, DataError
from rnncodec.images import reading as module
from rnncodec.images.reading import (
    find_images,
    open_image,
    picture_extensions,
    read_image,
    read_size,
    readable,
    to_rgb,
)


def noise(*shape: int, dtype: type = np.uint8) -> np.ndarray:
    return np.random.default_rng(7).integers(0, np.iinfo(dtype).max, shape, dtype, endpoint=True)


def png(width: int, height: int, depth: int, colour: int, *, rows: bytes, extra: bytes = b""):
    """A PNG written by hand, so that the bytes in the file are certain."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return (
            struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        )

    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    body = chunk(b"IHDR", header) + extra + chunk(b"IDAT", zlib.compress(rows))
    return b"\x89PNG\r\n\x1a\n" + body + chunk(b"IEND", b"")


def chunk_trns(body: bytes) -> bytes:
    return (
        struct.pack(">I", len(body))
        + b"tRNS"
        + body
        + struct.pack(">I", zlib.crc32(b"tRNS" + body))
    )


def over_white(colour: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    blended = colour.astype(float) * (alpha / 255.0) + 255.0 * (1.0 - alpha / 255.0)
    return np.floor(blended + 0.5).astype(np.uint8)


def test_rgb_is_unchanged():
    pixels = noise(5, 7, 3)
    np.testing.assert_array_equal(to_rgb(Image.fromarray(pixels)), pixels)


def test_result_is_contiguous_and_writable():
    result = to_rgb(Image.fromarray(noise(5, 7, 3)))
    assert result.flags.c_contiguous
    assert result.dtype == np.uint8


def test_grey_is_replicated():
    grey = noise(4, 6)
    np.testing.assert_array_equal(to_rgb(Image.fromarray(grey)), np.stack([grey] * 3, axis=2))


def test_one_bit_is_black_and_white():
    bits = np.array([[0, 255, 255], [255, 0, 0]], np.uint8)
    result = to_rgb(Image.fromarray(bits).convert("1"))
    np.testing.assert_array_equal(result[:, :, 1], bits)


@settings(deadline=None)
@given(st.integers(0, 255), st.integers(0, 255))
def test_alpha_is_composited_over_white(value: int, alpha: int):
    result = to_rgb(Image.new("RGBA", (1, 1), (value, 255 - value, 0, alpha)))
    expected = over_white(np.array([value, 255 - value, 0]), np.array(alpha))
    np.testing.assert_array_equal(result[0, 0], expected)


def test_grey_with_alpha():
    pixels = noise(6, 5, 2)
    grey, alpha = pixels[:, :, 0], pixels[:, :, 1]
    result = to_rgb(Image.merge("LA", [Image.fromarray(grey), Image.fromarray(alpha)]))
    for channel in range(3):
        np.testing.assert_array_equal(result[:, :, channel], over_white(grey, alpha))


@pytest.mark.parametrize(("mode", "straight"), [("La", "LA"), ("RGBa", "RGBA")])
def test_premultiplied_alpha_is_as_straight(mode: str, straight: str):
    image = Image.new(straight, (2, 2), (40, 200) if straight == "LA" else (40, 90, 200, 128))
    np.testing.assert_allclose(to_rgb(image.convert(mode)), to_rgb(image).astype(int), atol=2)


def test_fourth_byte_of_rgbx_is_ignored():
    pixels = noise(3, 3, 4)
    image = Image.frombytes("RGBX", (3, 3), pixels.tobytes())
    np.testing.assert_array_equal(to_rgb(image), pixels[:, :, :3])


def test_palette_is_expanded():
    palette, indices = noise(256, 3), noise(4, 4)
    image = Image.fromarray(indices).convert("L")
    image.putpalette(palette.tobytes())
    assert image.mode == "P"
    np.testing.assert_array_equal(to_rgb(image), palette[indices])


def test_palette_with_transparency(tmp_path: Path):
    palette = np.array([[10, 20, 30], [200, 0, 0], [0, 90, 0]], np.uint8)
    alpha = np.array([0, 51, 255], np.uint8)
    image = Image.new("P", (3, 1))
    image.putdata([0, 1, 2])
    image.putpalette(palette.tobytes())
    image.save(tmp_path / "p.png", transparency=alpha.tobytes())
    expected = over_white(palette, alpha[:, None])
    np.testing.assert_array_equal(read_image(tmp_path / "p.png")[0], expected)


def test_palette_alpha_image():
    image = Image.new("RGBA", (2, 2), (255, 0, 0, 0)).convert("PA")
    assert image.mode == "PA"
    np.testing.assert_array_equal(to_rgb(image), np.full((2, 2, 3), 255))


def test_transparent_colour_of_an_rgb_png_becomes_white(tmp_path: Path):
    pixels = np.array([[[1, 2, 3], [1, 2, 4]]], np.uint8)
    Image.fromarray(pixels).save(tmp_path / "t.png", transparency=(1, 2, 3))
    assert read_image(tmp_path / "t.png").tolist() == [[[255, 255, 255], [1, 2, 4]]]


@pytest.mark.parametrize("mode", ["I;16", "I;16B"])
def test_sixteen_bit_grey_is_divided_by_257_and_rounded(mode: str):
    values = np.concatenate([np.arange(0, 65536, 11), [128, 129, 65406, 65407, 65535]])
    order = {"I;16": "<u2", "I;16B": ">u2"}[mode]
    image = Image.frombytes(mode, (values.size, 1), values.astype(order).tobytes())
    np.testing.assert_array_equal(to_rgb(image)[0, :, 2], np.floor(values / 257.0 + 0.5))


def test_sixteen_bit_grey_png_with_transparent_value(tmp_path: Path):
    rows = b"\0" + np.array([1000, 1001, 65535], ">u2").tobytes()
    extra = chunk_trns(struct.pack(">H", 1000))
    (tmp_path / "g.png").write_bytes(png(3, 1, 16, 0, rows=rows, extra=extra))
    assert read_image(tmp_path / "g.png")[0, :, 0].tolist() == [255, 4, 255]


def test_sixteen_bit_colour_png_keeps_the_high_byte(tmp_path: Path):
    rows = b"\0" + np.array([0x12FF, 0x8000, 0xFF00], ">u2").tobytes()
    (tmp_path / "c.png").write_bytes(png(1, 1, 16, 2, rows=rows))
    assert read_image(tmp_path / "c.png").tolist() == [[[0x12, 0x80, 0xFF]]]


def test_integer_mode_is_clipped_to_sixteen_bits():
    values = np.array([[-5, 0, 257, 65535, 70000]], np.int32)
    assert to_rgb(Image.fromarray(values))[0, :, 0].tolist() == [0, 0, 1, 255, 255]


def test_float_mode_is_the_unit_range():
    values = np.array([[-1.0, 0.0, 0.2, 1.0, 3.0]], np.float32)
    assert to_rgb(Image.fromarray(values))[0, :, 0].tolist() == [0, 0, 51, 255, 255]


def test_float_image_with_nan_is_refused():
    image = Image.fromarray(np.array([[np.nan]], np.float32))
    with pytest.raises(DataError, match="NaN"):
        to_rgb(image)


def test_ycbcr_follows_jfif():
    pixels = noise(8, 8, 3)
    y, cb, cr = (pixels[:, :, i].astype(float) for i in range(3))
    cb, cr = cb - 128, cr - 128
    expected = [y + 1.402 * cr, y - 0.344136 * cb - 0.714136 * cr, y + 1.772 * cb]
    result = to_rgb(Image.frombytes("YCbCr", (8, 8), pixels.tobytes()))
    np.testing.assert_allclose(result, np.stack(expected, 2).clip(0, 255), atol=1.5)


def test_cmyk_by_pillows_rule():
    pixels = noise(4, 4, 4)
    result = to_rgb(Image.frombytes("CMYK", (4, 4), pixels.tobytes()))
    ink = 255.0 - pixels.astype(float)
    expected = ink[:, :, :3] * ink[:, :, 3:] / 255.0
    np.testing.assert_allclose(result, expected, atol=1)


def test_cmyk_jpeg(tmp_path: Path):
    Image.new("CMYK", (16, 16), (0, 255, 255, 0)).save(tmp_path / "c.jpg", quality=95)
    assert np.abs(read_image(tmp_path / "c.jpg").astype(int) - [255, 0, 0]).max() <= 4


def test_hsv_and_lab():
    assert to_rgb(Image.new("HSV", (1, 1), (0, 255, 200))).tolist() == [[[200, 0, 0]]]
    white = to_rgb(Image.new("LAB", (1, 1), (255, 128, 128)))
    assert white.min() >= 252


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_as_pillow_applies_it(tmp_path: Path, orientation: int):
    exif = Image.Exif()
    exif[0x0112] = orientation
    pixels = np.repeat(np.repeat(noise(2, 3, 3), 16, axis=0), 16, axis=1)
    path = tmp_path / "turned.jpg"
    Image.fromarray(pixels).save(path, exif=exif, quality=95)
    with Image.open(path) as image:
        expected = np.asarray(ImageOps.exif_transpose(image))
    np.testing.assert_array_equal(read_image(path), expected)


def test_unknown_orientation_is_upright():
    image = Image.fromarray(noise(2, 3, 3))
    image.getexif()[0x0112] = 99
    assert to_rgb(image).shape == (2, 3, 3)


def test_zero_side():
    image = Image.new("RGB", (0, 4))
    with pytest.raises(DataError, match="0x4"):
        to_rgb(image)


def good_jpeg() -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(noise(64, 64, 3)).save(buffer, "JPEG")
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("text.png", b"this is no picture"),
        ("empty.jpg", b""),
        ("truncated.jpg", good_jpeg()[:1500]),
        ("header.jpg", good_jpeg()[:12]),
        ("short.png", png(4, 4, 8, 0, rows=b"\0\0\0")),
        ("zero.png", png(0, 4, 8, 0, rows=b"")),
        ("bomb.png", png(60_000, 60_000, 1, 0, rows=b"")),
        ("large.png", png(10_000, 10_000, 1, 0, rows=b"")),
        ("script.eps", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\n"),
    ],
)
def test_unreadable_files_name_themselves(tmp_path: Path, name: str, content: bytes):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=f"cannot read image .*{name}: ."):
        read_image(tmp_path / name)


def test_missing_file(tmp_path: Path):
    with pytest.raises(DataError, match=r"nothing\.png: No such file"):
        read_image(tmp_path / "nothing.png")


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 2000), st.integers(0, 255)), min_size=1, max_size=6))
def test_damaged_files_give_pixels_or_a_data_error(tmp_path_factory, damage):
    content = bytearray(good_jpeg()[:2001])
    for position, value in damage:
        content[position] = value
    path = tmp_path_factory.mktemp("damaged") / "x.jpg"
    path.write_bytes(content)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow warns of odd metadata
        try:
            outcome = f"{path} has {read_image(path).shape[2]} channels"
        except DataError as error:
            outcome = str(error)
    assert f"{path} has 3 channels" == outcome or f"cannot read image {path}: " in outcome


def test_size_is_read_from_the_header(tmp_path: Path):
    (tmp_path / "cut.jpg").write_bytes(good_jpeg()[:700])
    assert read_size(tmp_path / "cut.jpg") == (64, 64)


def test_finds_pictures_recursively_in_posix_order(tmp_path: Path):
    hidden = (".thumb/c.png", "._b.png", "__MACOSX/b.png")
    for name in ("b.PNG", "a/z.jpg", "a.tif", "a/notes.txt", "A.webp", *hidden):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.touch()
    names = [path.relative_to(tmp_path).as_posix() for path in find_images(tmp_path)]
    assert names == ["A.webp", "a.tif", "a/z.jpg", "b.PNG"]


def test_excluded_pictures_are_left_out_by_resolved_path(tmp_path: Path):
    for name in ("a.png", "b.png"):
        (tmp_path / name).touch()
    (tmp_path / "link.png").symlink_to(tmp_path / "a.png")
    found = find_images(tmp_path, [tmp_path / ".." / tmp_path.name / "a.png"])
    assert [path.name for path in found] == ["b.png"]


def test_missing_folder(tmp_path: Path):
    with pytest.raises(DataError, match="nowhere does not exist"):
        find_images(tmp_path / "nowhere")


def test_file_instead_of_folder(tmp_path: Path):
    (tmp_path / "a.png").touch()
    with pytest.raises(DataError, match="is not a folder"):
        find_images(tmp_path / "a.png")


def test_empty_folder_says_what_was_looked_for(tmp_path: Path):
    (tmp_path / "a.txt").touch()
    with pytest.raises(DataError, match=r"no pictures under .*\*\.jpg"):
        find_images(tmp_path)


def test_a_profile_beyond_pillows_limit_is_named(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    Image.new("RGB", (2, 2)).save(path, icc_profile=bytes(5 * 2**20))
    with pytest.raises(DataError, match=r"a\.png: its colour profile or text is larger than Pill"):
        read_image(path)


RGB = Image.fromarray(np.random.default_rng(5).integers(0, 256, (30, 40, 3), np.uint8))


def reason(data: bytes) -> str:
    with (
        pytest.raises(DataError, match=r"^cannot read image a picture: ") as raised,
        open_image(io.BytesIO(data), name="a picture") as image,
    ):
        to_rgb(image)
    return str(raised.value).removeprefix("cannot read image a picture: ")


@pytest.mark.filterwarnings("ignore::UserWarning")  # Pillow's own, of metadata that is cut
@pytest.mark.parametrize(
    ("kind", "options"),
    [
        *((kind, {}) for kind in ("JPEG", "PNG", "TIFF", "WEBP", "JPEG2000", "GIF", "BMP", "PPM")),
        *((kind, {}) for kind in ("TGA", "SGI", "PCX", "DDS", "AVIF")),
        ("JPEG2000", {"no_jp2": True}),
        ("TIFF", {"compression": "tiff_lzw"}),
    ],
)
def test_a_truncated_file_is_called_so(kind: str, options: dict) -> None:
    data = saved(RGB, kind, **options)
    for length in (len(data) // 4, len(data) // 2, 3 * len(data) // 4):
        assert "truncated" in reason(data[:length]).lower(), length


@pytest.mark.parametrize("length", [40, 200, len(AVIF_10) - 5])
def test_a_truncated_avif(length: int) -> None:
    assert "truncated" in reason(AVIF_10[:length]).lower()


@pytest.mark.parametrize("container", [False, True])
def test_a_truncated_jpeg_xl(container: bool) -> None:
    pytest.importorskip("pillow_jxl")
    data = saved(RGB, "JXL", use_container=container)
    for length in (30, len(data) // 2, len(data) - 1):
        assert "its JPEG XL data is damaged or truncated" in reason(data[:length])


def test_jpeg_xl_is_read_where_its_plugin_is(tmp_path: Path) -> None:
    pytest.importorskip("pillow_jxl")
    (tmp_path / "a.jxl").write_bytes(saved(RGB, "JXL", lossless=True))
    assert ".jxl" in picture_extensions()
    assert (FolderPhotos(tmp_path).load(0) == to_rgb(RGB)).all()


def test_jpeg_xl_without_its_plugin_says_what_to_install(monkeypatch) -> None:
    monkeypatch.setattr(module, "_register_plugins", lambda: None)
    opened = {name: how for name, how in Image.OPEN.items() if name != "JXL"}
    monkeypatch.setattr(Image, "OPEN", opened)
    found = reason(b"\xff\x0a" + bytes(40))
    assert found == "JPEG XL is read by a plugin; run: pip install 'rnncodec[jxl]'"


def test_what_begins_as_a_format_and_is_none() -> None:
    assert reason(b"a text") == "not a format that Pillow decodes"
    assert reason(b"\n a text") == "not a format that Pillow decodes"
    assert reason(b"") == "not a format that Pillow decodes"
    assert reason(b"\x89PNG\r\n\x1a\n").startswith("it begins as PNG does, but: ")


class ForeignError(Exception):
    """What only a plugin knows."""


@pytest.fixture
def plugin(monkeypatch) -> dict:
    """A format whose reader raises what the test wants, while opening or while loading."""
    raises: dict = {}

    class File(ImageFile.ImageFile):
        format = "ODD"

        def _open(self) -> None:
            if "open" in raises:
                raise raises["open"]
            self._mode, self._size = "RGB", (2, 2)

        def load(self):
            raise raises["load"]

    Image.init()
    monkeypatch.setattr(Image, "ID", ["ODD", *Image.ID])
    monkeypatch.setitem(Image.OPEN, "ODD", (File, lambda prefix: prefix.startswith(b"ODD")))
    monkeypatch.setitem(Image.EXTENSION, ".odd", "ODD")
    return raises


ERRORS = [
    error("odd")
    for error in (
        *(RuntimeError, SyntaxError, EOFError, ValueError, KeyError, TypeError, OverflowError),
        *(
            struct.error,
            AssertionError,
            AttributeError,
            ZeroDivisionError,
            MemoryError,
            ForeignError,
        ),
    )
]


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("moment", ["open", "load"])
def test_what_a_plugin_raises_is_our_error(plugin, tmp_path: Path, moment: str, error) -> None:
    plugin[moment] = error
    path = tmp_path / "a.odd"
    path.write_bytes(b"ODD file")
    with pytest.raises(DataError, match=r"cannot read image .*a\.odd: "):
        read_image(path)
    with pytest.raises(DataError, match=r"cannot read image .*a\.odd: "):
        FolderPhotos(tmp_path).load(0)
    if moment == "load":
        with (
            pytest.raises(DataError, match=r"cannot read image .*a\.odd: "),
            Image.open(path) as image,
        ):
            from_image(image)


def test_errors_of_ours_that_are_not_of_the_picture_stay_what_they_are() -> None:
    with pytest.raises(ConfigError, match=r"^as it was$"), readable("a picture"):
        raise ConfigError("as it was")
