"""What is said of a picture that cannot be kept as it is, and what is not."""

import io

import numpy as np
import pytest
from PIL import ExifTags, Image, ImageCms

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
    with pytest.raises(DataError, match=r"str: expected a Pillow image .* PIL\.Image\.open opens"):
        from_image("photo.png")


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
