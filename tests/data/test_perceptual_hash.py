import io

import numpy as np
import pytest
from PIL import Image

from rnncodec.data.perceptual_hash import NEAR, difference_hash
from rnncodec.data.photos import DemoPhotos


@pytest.fixture(scope="module")
def photos() -> dict[str, np.ndarray]:
    return dict(DemoPhotos("train", "validation"))


def jpeg(image: np.ndarray, quality: int) -> np.ndarray:
    file = io.BytesIO()
    Image.fromarray(image).save(file, "JPEG", quality=quality)
    return np.asarray(Image.open(file))


def apart(one: np.ndarray, other: np.ndarray) -> int:
    return (difference_hash(one) ^ difference_hash(other)).bit_count()


def test_scaled_and_recompressed_twins_are_near(photos: dict[str, np.ndarray]):
    image = photos["astronaut.png"]
    smaller = np.asarray(Image.fromarray(image).resize((300, 300), Image.Resampling.LANCZOS))
    assert apart(image, smaller) <= NEAR
    assert apart(image, jpeg(image, 40)) <= NEAR
    assert apart(image, np.minimum(image, 250) + np.uint8(5)) <= NEAR


def test_other_photographs_are_far(photos: dict[str, np.ndarray]):
    assert apart(photos["astronaut.png"], photos["rocket.jpg"]) > 2 * NEAR
    assert apart(photos["astronaut.png"], photos["astronaut.png"][:, ::-1]) > 2 * NEAR
