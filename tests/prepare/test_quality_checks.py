import io
import tracemalloc

import numpy as np
import pytest
from PIL import Image

from rnncodec.data.perceptual_hash import NearDuplicateIndex
from rnncodec.data.photos import DemoPhotos
from rnncodec.prepare.extractor import (
    BLOCKING,
    blocking,
    has_solid_border,
)


@pytest.fixture(scope="module")
def photos() -> dict[str, np.ndarray]:
    return dict(DemoPhotos("train", "validation"))


def jpeg(image: np.ndarray, quality: int) -> np.ndarray:
    file = io.BytesIO()
    Image.fromarray(image).save(file, "JPEG", quality=quality)
    return np.asarray(Image.open(file))


def test_twins_are_found_among_many(monkeypatch):
    monkeypatch.setattr(
        "rnncodec.data.perceptual_hash._BLOCK", 1000
    )  # the last of three is not full
    twins = NearDuplicateIndex()
    hashes = np.random.default_rng(0).integers(0, 2**63, 2500).tolist()
    assert not twins.has(0)
    for value in hashes:
        twins.add(value)
    for place in (0, 999, 1000, 2499):
        assert twins.has(hashes[place])
        assert twins.has(hashes[place] ^ 0b10101)
        assert not twins.has(hashes[place] ^ 0b1010101)


def test_a_hash_takes_eight_bytes():
    twins = NearDuplicateIndex()
    tracemalloc.start()
    for value in range(0, 100_000 << 20, 1 << 20):
        twins.add(value)
    twins.has(2**63 - 1)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 8 * 100_000 + 1_000_000


def test_solid_borders(photos: dict[str, np.ndarray]):
    image = photos["astronaut.png"].copy()
    assert not has_solid_border(image)
    image[:20] = 0
    assert not has_solid_border(image), "one side alone may be a sky"
    image[-20:] = (250, 251, 252)
    assert has_solid_border(image)
    assert has_solid_border(jpeg(image, 90))
    assert has_solid_border(image.swapaxes(0, 1))


def test_blocking_by_jpeg_quality(photos: dict[str, np.ndarray]):
    image = photos["astronaut.png"]
    assert blocking(image) < 1.2
    assert blocking(jpeg(image, 90)) < BLOCKING
    assert blocking(jpeg(image, 5)) > BLOCKING
    assert blocking(jpeg(image, 5)[3:, 5:]) > BLOCKING, "the grid may begin anywhere"


def test_stripes_are_no_blocks():
    stripes = np.zeros((96, 96, 3), np.uint8)
    stripes[:, ::8] = 255
    assert blocking(stripes) < BLOCKING


@pytest.mark.parametrize("shape", [(16, 200, 3), (200, 31, 3), (64, 64, 3)])
def test_nothing_to_measure_counts_as_no_blocks(shape: tuple[int, ...]):
    assert blocking(np.zeros(shape, np.uint8)) == 1
