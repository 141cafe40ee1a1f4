import io
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.prepare.conftest import paint

from rnncodec.data.photos import hash_fraction
from rnncodec.data.random_crop import centre_crop
from rnncodec.data.shards import Layout
from rnncodec.prepare.extractor import PHOTOGRAPH_SIDE, Outcome, Task, Thresholds, TileExtractor
from rnncodec.prepare.listing import Entry
from rnncodec.prepare.settings import DAMAGED, Flaw, Settings
from rnncodec.prepare.sources import Files


def encoded(kind: str, image: Image.Image | None = None) -> bytes:
    file = io.BytesIO()
    (image or paint(1)).save(file, kind)
    return file.getvalue()


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def flipped(data: bytes, at: int) -> bytes:
    return data[:at] + bytes([data[at] ^ 0xFF]) + data[at + 1 :]


DAMAGES: dict[str, Callable[[], bytes]] = {
    "empty": lambda: b"",
    "page of an error": lambda: b"<html><body>404 Not Found</body></html>",
    "zeros": lambda: bytes(5000),
    "truncated jpeg": lambda: encoded("JPEG")[:-400],
    "truncated png": lambda: encoded("PNG")[:-3000],
    "truncated webp": lambda: encoded("WEBP")[:300],
    "png with a flipped byte": lambda: flipped(encoded("PNG"), 3000),
    "png without pixels": lambda: (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", 9, 9, 8, 2, 0, 0, 0))
    ),
    "bomb": lambda: (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", 60000, 60000, 8, 2, 0, 0, 0))
    ),
    "tiff of NaN": lambda: encoded("TIFF", Image.fromarray(np.full((80, 96), np.nan, np.float32))),
}


NOTHING = Thresholds(0, 0)


def outcome(
    root: Path, name: str, settings: Settings, thresholds: Thresholds = NOTHING
) -> Outcome:
    return TileExtractor(Files(root), settings)(Task(7, Entry(name, name), thresholds))


def used(name: str = "a") -> str:
    """A name that is not held out."""
    return next(f"{name}{n}.png" for n in range(99) if hash_fraction(f"{name}{n}.png") > 0.5)


@pytest.mark.parametrize("kind", DAMAGES)
def test_ten_kinds_of_damage_are_told(tmp_path: Path, small, kind: str):
    (tmp_path / "a.jpg").write_bytes(DAMAGES[kind]())
    done = outcome(tmp_path, "a.jpg", small())
    assert done.rejected == DAMAGED
    assert "cannot read image a.jpg: " in done.reason
    assert not done.members


def test_a_missing_file(tmp_path: Path, small):
    (tmp_path / "other.jpg").touch()
    done = outcome(tmp_path, "gone.jpg", small())
    assert (done.rejected, done.reason) == (
        DAMAGED,
        "cannot read image gone.jpg: No such file or directory",
    )


def test_tiles_and_record(tmp_path: Path, small):
    name = used()
    paint(3).save(tmp_path / name)
    done = outcome(tmp_path, name, small())
    names = Layout(16).names(done.members)
    assert names.image.tolist() == [7] * 5
    assert done.record() == {"image": 7, "name": name, "tiles": 5, "hash": f"{done.hash:016x}"}


def test_held_out_photographs_give_no_tiles(tmp_path: Path, small):
    paint(3).save(tmp_path / "a.png")
    fraction = hash_fraction("a.png")
    settings = small(val_fraction=fraction + 0.01)
    done = outcome(tmp_path, "a.png", settings, Thresholds(fraction + 0.001, 0))
    assert done.held_out
    assert not done.members
    kept = np.asarray(Image.open(io.BytesIO(done.photograph)))
    assert np.array_equal(kept, np.asarray(paint(3)))
    assert outcome(tmp_path, "a.png", settings, Thresholds(fraction, 1)).photograph is None


def test_flaws_are_noticed_or_refused(tmp_path: Path, small):
    name = used()
    framed = np.asarray(paint(3)).copy()
    framed[:8] = framed[-8:] = 0
    Image.fromarray(framed).save(tmp_path / name)
    noticed = outcome(tmp_path, name, small(min_side=90))
    assert (noticed.rejected, noticed.reason) == ("small", "96x80 pixels")
    assert noticed.noticed == ("border",)
    assert outcome(tmp_path, name, small(refuse=())).rejected == ""
    refused = outcome(tmp_path, name, small(refuse=(Flaw.BORDER,)))
    assert refused.rejected == "border"


def test_where_no_tile_fits_an_image_is_small_whatever_the_filter(tmp_path: Path, small):
    name = used()
    paint(1, (200, 15)).save(tmp_path / name)
    assert outcome(tmp_path, name, small(refuse=())).reason == "200x15 pixels"
    paint(1, (2000, 60)).save(tmp_path / name)
    done = outcome(tmp_path, name, small(refuse=(), resize=(400, 400)))
    assert (done.rejected, done.reason) == (
        "small",
        "shrunk to 400x12 pixels, too narrow for a tile",
    )


@pytest.mark.parametrize("size", [(700, 900), (513, 40), (512, 512)])
def test_the_middle_of_the_middle_is_the_middle(size: tuple[int, int]):
    """So validation crops the same window of it as of the whole photograph."""
    y, x = np.mgrid[: size[0], : size[1]]
    image = np.stack([y % 256, x % 256, y // 256 * 16 + x // 256], axis=2).astype(np.uint8)
    assert np.array_equal(
        centre_crop(centre_crop(image, PHOTOGRAPH_SIDE), 256, multiple=16),
        centre_crop(image, 256, multiple=16),
    )
