"""What a Pillow user does with .rnc files, and what happens to damaged ones."""

import io
import math
import pickle
import warnings
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import ExifTags, Image, ImageSequence, UnidentifiedImageError

import rnncodec
from rnncodec import models, pillow
from rnncodec.bitstream import info
from rnncodec.codec import Codec

SIZE = (40, 30)


def photo(mode: str = "RGB") -> Image.Image:
    pixels = np.random.default_rng(0).integers(0, 256, (*SIZE[::-1], 3), np.uint8)
    return Image.fromarray(pixels).convert(mode)


@pytest.fixture
def file(tiny: Codec, tmp_path: Path) -> Path:
    path = tmp_path / "photo.rnc"
    path.write_bytes(tiny.encode(photo()))
    return path


def same(a: Image.Image, b: Image.Image) -> bool:
    return a.mode == b.mode and np.array_equal(np.asarray(a), np.asarray(b))


def test_open_reads_the_header_only(file: Path, monkeypatch) -> None:
    monkeypatch.setattr(pillow, "codec_at", None)
    source = io.BytesIO(file.read_bytes())
    with Image.open(source) as image:
        assert source.tell() == 38
        assert (image.format, image.mode, image.size) == ("RNC", "RGB", SIZE)
        assert image.get_format_mimetype() == "image/x-rnc"
        assert "icc_profile" not in image.info
        assert (image.n_frames, image.is_animated, image.tell()) == (3, True, 2)


def test_load_gives_the_best_picture_and_seek_each(file: Path, tiny: Codec) -> None:
    stages = list(tiny.decode_progressive(file.read_bytes()))
    with Image.open(file) as image:
        assert same(image, stages[2])
        for frame in (0, 1, 2, 1, 0, 2, 0, 1, 1):
            image.seek(frame)
            assert image.tell() == frame
            assert same(image, stages[frame]), frame
        for frame in (3, -1):
            with pytest.raises(EOFError):
                image.seek(frame)
        assert image.tell() == 1


def test_sequences_and_copies(file: Path, tiny: Codec) -> None:
    stages = list(tiny.decode_progressive(file.read_bytes()))
    with Image.open(file) as image:
        frames = [frame.copy() for frame in ImageSequence.Iterator(image)]
        assert all(same(a, b) for a, b in zip(frames, stages, strict=True))
        assert same(pickle.loads(pickle.dumps(image)), stages[2])
        assert image.resize((4, 3)).size == (4, 3)


def test_a_file_is_closed_once_it_is_loaded(file: Path) -> None:
    image = Image.open(file)
    image.load()
    assert image.fp is None
    image.seek(0)
    assert image.getpixel((0, 0)) is not None


def test_a_closed_image_says_so(file: Path) -> None:
    with Image.open(file) as image:
        pass
    with pytest.raises(ValueError, match="Operation on closed image"):
        image.load()


def test_a_stream_stays_open(file: Path) -> None:
    with file.open("rb") as stream:
        Image.open(stream).load()
        assert not stream.closed


def test_a_cut_file_has_fewer_frames(file: Path, tiny: Codec) -> None:
    data = file.read_bytes()
    with Image.open(io.BytesIO(rnncodec.truncate(data, iterations=2))) as image:
        assert image.n_frames == 2
        assert same(image, tiny.decode(data, iterations=2))
    image = Image.open(io.BytesIO(data[:-1]))
    assert image.n_frames == 2
    with pytest.warns(rnncodec.RNNCodecWarning, match="the file is cut: 2 of its 3"):
        image.load()
    image.seek(0)
    image.load()
    image.seek(1)
    with pytest.warns(rnncodec.RNNCodecWarning, match="the file is cut: 2 of its 3"):
        image.load()


def test_save_takes_targets(tiny: Codec, tmp_path: Path) -> None:
    path = tmp_path / "y.rnc"
    photo().save(path, bpp=0.9, model="tiny")
    assert path.read_bytes() == tiny.encode(photo(), bpp=0.9)
    buffer = io.BytesIO()
    photo().save(buffer, "RNC", iterations=1, tile=32, model=tmp_path / "shelf/tiny.safetensors")
    assert info(buffer.getvalue()).iterations == 1
    assert info(buffer.getvalue()).header.tile == 32


def test_grey_and_colour_profile(tiny: Codec, tmp_path: Path) -> None:
    image = photo("L")
    image.info["icc_profile"] = b"kept"
    image.save(tmp_path / "a.rnc", model="tiny")
    image.save(tmp_path / "b.rnc", model="tiny", icc_profile=b"given")
    with Image.open(tmp_path / "a.rnc") as a, Image.open(tmp_path / "b.rnc") as b:
        assert (a.mode, a.info["icc_profile"]) == ("L", b"kept")
        assert a.getpixel((0, 0)) == np.asarray(a)[0, 0]
        assert b.info["icc_profile"] == b"given"
    assert image.info["icc_profile"] == b"kept"


def turned() -> Image.Exif:
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    return exif


def test_exif_data_that_is_given_counts_as_the_images_own(tiny: Codec, tmp_path: Path) -> None:
    upright = photo().transpose(Image.Transpose.ROTATE_270)
    for exif in (turned(), turned().tobytes()):
        photo().save(tmp_path / "a.rnc", model="tiny", exif=exif)
        assert (tmp_path / "a.rnc").read_bytes() == tiny.encode(upright)
    image = photo()
    image.info["exif"] = turned().tobytes()
    for nothing in (b"", None):
        image.save(tmp_path / "a.rnc", model="tiny", exif=nothing)
        assert (tmp_path / "a.rnc").read_bytes() == tiny.encode(photo())
    with pytest.raises(ValueError, match="exif=6: expected bytes"):
        photo().save(tmp_path / "a.rnc", model="tiny", exif=6)


def animation() -> Image.Image:
    buffer = io.BytesIO()
    photo().save(buffer, "WEBP", save_all=True, append_images=[photo().rotate(90)])
    return Image.open(buffer)


def test_what_is_given_and_not_kept_is_said(tiny: Codec, tmp_path: Path) -> None:
    exif = turned()
    exif[ExifTags.Base.Artist] = "somebody"
    with pytest.warns(rnncodec.RNNCodecWarning, match="EXIF data is not kept; its orientation"):
        photo().save(tmp_path / "a.rnc", model="tiny", exif=exif)
    with pytest.warns(rnncodec.RNNCodecWarning, match="only the current frame is kept"):
        animation().save(tmp_path / "a.rnc", model="tiny", exif=b"")
    words = "^bp=, xmp=: not used in .rnc files; those take adaptive, bpp, "
    with pytest.warns(rnncodec.RNNCodecWarning, match=words) as caught:
        photo().save(tmp_path / "a.rnc", model="tiny", bp=0.5, xmp=b"<x/>")
    assert len(caught) == 1


def test_settings_that_cannot_work(tiny: Codec, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="bpp=-1: expected a positive number"):
        photo().save(tmp_path / "y.rnc", bpp=-1, model="tiny")
    with pytest.raises(OSError, match="compact: no such model file"):
        photo().save(tmp_path / "y.rnc")
    assert not (tmp_path / "y.rnc").exists()


def test_the_model_must_be_found(file: Path, monkeypatch) -> None:
    monkeypatch.delenv(models.VARIABLE)
    with Image.open(file) as image, pytest.raises(OSError, match="no model with fingerprint"):
        image.load()


def test_a_model_that_changes_on_disk_is_read_again(file: Path, tmp_path: Path) -> None:
    with Image.open(file) as image:
        image.load()
    (tmp_path / "shelf" / "tiny.safetensors").write_bytes(b"damaged")
    with Image.open(file) as image, pytest.raises(OSError, match="no model with fingerprint"):
        image.load()


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda data: data[:20], "the file ends inside its header"),
        (lambda data: data[:4] + b"\x02" + data[5:], "a newer version of rnncodec"),
        (lambda data: data[:9] + b"\x55" + data[10:], "the header is damaged"),
        (lambda data: b"\x89RNX" + data[4:], "cannot identify image file"),
    ],
)
def test_damaged_header(file: Path, damage, message: str) -> None:
    with pytest.raises(UnidentifiedImageError, match=message):
        Image.open(io.BytesIO(damage(file.read_bytes())))


def test_verify(file: Path) -> None:
    Image.open(file).verify()
    data = bytearray(file.read_bytes())
    data[38] = 0x80
    with pytest.raises(OSError, match="byte 38"):
        Image.open(io.BytesIO(data)).verify()


def test_iterations_before_the_damage_can_still_be_seen(file: Path, tiny: Codec) -> None:
    data = bytearray(file.read_bytes())
    data[-1] ^= 1
    with Image.open(io.BytesIO(data)) as image:
        for _ in range(2):
            with pytest.raises(OSError, match=r"byte \d+"):
                image.load()
            for frame in (0, 1):
                image.seek(frame)
                assert same(image, tiny.decode(file.read_bytes(), iterations=frame + 1))
            image.seek(2)


@settings(
    max_examples=60,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(position=st.integers(0, 10_000), change=st.integers(1, 255), cut=st.integers(0, 10_000))
def test_damage_is_an_oserror_or_another_picture(file: Path, position, change, cut) -> None:
    data = bytearray(file.read_bytes())
    data[position % len(data)] ^= change
    data = data[: len(data) - cut % 40]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", rnncodec.RNNCodecWarning)
            with Image.open(io.BytesIO(data)) as image:
                image.seek(0)
                image.load()
                image.seek(image.n_frames - 1)
                image.load()
    except OSError:
        return
    assert image.size == SIZE


def test_bombs_are_pillows_business(file: Path, monkeypatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 800)
    with pytest.warns(Image.DecompressionBombWarning):
        image = Image.open(file)
    assert image.getpixel((0, 0)) is not None
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    with pytest.raises(Image.DecompressionBombError):
        Image.open(file)


def test_recompressing_an_open_file(file: Path, tmp_path: Path) -> None:
    with Image.open(file) as image:  # without a warning: its frames are stages of one picture
        image.save(tmp_path / "again.rnc", model="tiny")
    assert math.isclose(info((tmp_path / "again.rnc").read_bytes()).header.width, SIZE[0])


@pytest.mark.parametrize(
    ("size", "frame"), [((40, 30), 2), ((21, 16), 2), ((20, 15), 1), ((10, 7), 0), ((1, 1), 0)]
)
def test_a_small_image_takes_fewer_iterations(
    file: Path, tiny: Codec, monkeypatch, size: tuple[int, int], frame: int
) -> None:
    monkeypatch.setattr(pillow, "DRAFTS", ((2, 2), (4, 1)))
    stages = list(tiny.decode_progressive(file.read_bytes()))
    with Image.open(file) as image:
        image.draft(None, size)
        assert image.tell() == frame
        assert same(image, stages[frame])
    with Image.open(file) as image:
        image.seek(2)
        image.draft(None, size)
        assert same(image, stages[2]), "who asks for an iteration gets it"


def test_a_thumbnail_is_that_of_an_early_iteration(file: Path, tiny: Codec, monkeypatch) -> None:
    monkeypatch.setattr(pillow, "DRAFTS", ((2, 1),))
    (first, *_) = tiny.decode_progressive(file.read_bytes())
    first.thumbnail((9, 7))
    with Image.open(file) as image:
        image.thumbnail((9, 7))
        assert same(image, first)
