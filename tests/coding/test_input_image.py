"""What is said of a picture that cannot be kept as it is, and what is not."""

import io
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import ExifTags, Image, ImageCms

from rnncodec.bitstream import ColourMode
from rnncodec.coding.input_image import from_image
from rnncodec.errors import DataError

TRANSPARENT = "transparency is not kept: composited over white"
EXIF = "EXIF data is not kept; its orientation is applied"


@pytest.mark.parametrize(
    ("mode", "colour", "notes"),
    [
        ("RGBA", (1, 2, 3, 255), []),
        ("RGBA", (1, 2, 3, 254), [TRANSPARENT]),
        ("LA", (1, 255), []),
        ("LA", (1, 0), [TRANSPARENT]),
    ],
)
def test_transparency_is_said_where_there_is_some(mode: str, colour, notes: list[str]) -> None:
    assert from_image(Image.new(mode, (4, 4), colour)).notes == notes


@pytest.mark.parametrize(
    ("tags", "notes"),
    [
        ({ExifTags.Base.Orientation: 6}, []),
        ({ExifTags.Base.Orientation: 6, ExifTags.Base.Make: "a camera"}, [EXIF]),
        ({ExifTags.Base.Make: "a camera"}, [EXIF]),
    ],
)
def test_exif_is_said_where_more_than_the_orientation_is_lost(tags: dict, notes: list) -> None:
    exif = Image.Exif()
    exif.update(tags)
    buffer = io.BytesIO()
    Image.new("RGB", (4, 2)).save(buffer, "JPEG", exif=exif)
    picture = from_image(Image.open(buffer))
    assert picture.notes == notes
    assert picture.pixels.shape[0] == (4 if ExifTags.Base.Orientation in tags else 2)


def test_no_image_is_named() -> None:
    with pytest.raises(DataError, match=r"int: expected a Pillow image, a path, an open file"):
        from_image(3)
    with pytest.raises(DataError, match=r"photo\.png"):
        from_image("photo.png")


def test_files_are_pictures(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    Image.new("LA", (5, 3), (9, 255)).save(path)
    for source in (str(path), path, io.BytesIO(path.read_bytes())):
        found = from_image(source)
        assert found.colour is ColourMode.GREY
        assert found.pixels.shape == (3, 5, 3)
        assert (found.pixels == 9).all()


RGB = np.random.default_rng(0).integers(0, 256, (4, 6, 3)).astype(np.uint8)


GREY = RGB[..., 0].copy()


@pytest.mark.parametrize(
    "image",
    [
        RGB,
        torch.from_numpy(RGB).permute(2, 0, 1),
        (torch.from_numpy(RGB).permute(2, 0, 1).double() / 255 + 1e-4).requires_grad_(),
        np.concatenate([RGB, np.full((4, 6, 1), 255, np.uint8)], axis=2),
    ],
    ids=["array", "tensor", "floats", "opaque"],
)
def test_arrays_and_tensors_are_their_pixels(image) -> None:
    found = from_image(image)
    np.testing.assert_array_equal(found.pixels, RGB)
    assert (found.colour, found.notes) == (ColourMode.RGB, [])


@pytest.mark.parametrize(
    "image",
    [
        RGB[..., 0],
        RGB[..., :1],
        torch.from_numpy(RGB[..., 0]),
        torch.from_numpy(RGB[None, ..., 0]),
    ],
    ids=["(H, W)", "(H, W, 1)", "tensor (H, W)", "tensor (1, H, W)"],
)
def test_one_channel_is_grey(image) -> None:
    found = from_image(image)
    assert found.colour is ColourMode.GREY
    np.testing.assert_array_equal(found.pixels, np.repeat(GREY[..., None], 3, axis=2))


def test_alpha_of_an_array_is_said() -> None:
    clear = np.concatenate([RGB, np.zeros((4, 6, 1), np.uint8)], axis=2)
    found = from_image(clear)
    assert (found.pixels == 255).all()
    assert found.notes


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (torch.full((3, 4, 4), float("nan")), r"floats outside of \[0, 1\]"),
        (torch.full((3, 4, 4), 127.0), r"floats outside of \[0, 1\]"),
        (torch.zeros(3, 4, 4, dtype=torch.int64), r"tensor of torch\.int64: expected uint8"),
        (torch.zeros(2, 4, 4), r"shape \(4, 4, 2\): expected uint8 \(H, W, 3\)"),
        (np.zeros((4, 4, 3)), r"array of float64 and shape \(4, 4, 3\)"),
        (np.zeros((0, 4), np.uint8), r"shape \(0, 4\)"),
    ],
    ids=str,
)
def test_what_is_no_picture_is_one_error(image, message: str) -> None:
    with pytest.raises(DataError, match=message):
        from_image(image)


SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


@pytest.mark.parametrize(
    ("mode", "space", "note"),
    [
        ("RGB", b"RGB ", None),
        ("L", b"GRAY", None),
        ("L", b"RGB ", "it describes RGB colours, not grey"),
        ("RGB", b"GRAY", "it describes grey colours, not RGB"),
        ("RGB", b"CMYK", "it describes CMYK colours, not RGB"),
        ("CMYK", b"CMYK", "it describes the colours before conversion"),
    ],
)
def test_a_profile_is_kept_where_it_describes_the_pixels(mode: str, space: bytes, note) -> None:
    image = Image.new(mode, (4, 2))
    image.info["icc_profile"] = SRGB[:16] + space + SRGB[20:]
    picture = from_image(image)
    assert bool(picture.icc_profile) == (note is None)
    dropped = [] if note is None else [f"the ICC profile is dropped: {note}"]
    assert picture.notes[-1:] == dropped


def test_an_image_that_cannot_be_decoded_is_our_error() -> None:
    buffer = io.BytesIO()
    noise = np.random.default_rng(5).integers(0, 256, (40, 40), np.uint8)
    Image.fromarray(noise).save(buffer, "PNG")
    image = Image.open(io.BytesIO(buffer.getvalue()[:900]))
    with pytest.raises(DataError, match="cannot read image in memory: image file is truncated"):
        from_image(image)
