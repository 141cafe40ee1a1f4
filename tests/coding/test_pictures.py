"""What is said of a picture that cannot be kept as it is, and what is not."""

import io

import pytest
from PIL import ExifTags, Image

from rnncodec.coding.pictures import from_image
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
