"""Whatever a plugin raises is one error, which names the picture and the reason."""

import io
import struct
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFile
from tests.images.forged import AVIF_10, saved

from rnncodec.coding.input_image import from_image
from rnncodec.data.photos import FolderPhotos
from rnncodec.errors import ConfigError, DataError
from rnncodec.images import formats
from rnncodec.images.formats import readable
from rnncodec.images.reading import open_image, picture_extensions, read_image, to_rgb

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
    monkeypatch.setattr(formats, "_register_plugins", lambda: None)
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
