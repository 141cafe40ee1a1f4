from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from rnncodec.data.module import ValidationImages, load_validation
from rnncodec.data.photos import FolderPhotos, SkippedImages, hash_fraction
from rnncodec.errors import DataError


def folder_of(folder: Path, *sizes: tuple[int, int]) -> FolderPhotos:
    for number, (width, height) in enumerate(sizes):
        y, x = np.mgrid[:height, :width]
        pixels = np.stack([x, y, np.full_like(x, number)], axis=2).astype(np.uint8)
        Image.fromarray(pixels).save(folder / f"{number}.png")
    return FolderPhotos(folder)


@pytest.mark.parametrize(
    ("size", "limit", "left_top", "shape"),
    [((70, 50), 256, (3, 1), (48, 64)), ((200, 100), 64, (68, 18), (64, 64))],
)
def test_centre_crop(tmp_path: Path, size, limit, left_top, shape):
    photos = folder_of(tmp_path, size)
    [(name, image)] = load_validation(photos, SkippedImages(1, "x"), most=5, size=limit)
    assert name == "0.png"
    assert image.shape == (*shape, 3)
    assert tuple(image[0, 0, :2].tolist()) == left_top


def test_images_are_chosen_by_hash_and_sorted_by_name(tmp_path: Path):
    photos = folder_of(tmp_path, *[(32, 32)] * 9)
    loaded = load_validation(photos, SkippedImages(9, "x"), most=4, size=256)
    assert [name for name, _ in loaded] == sorted(sorted(photos.names, key=hash_fraction)[:4])


def test_another_image_stands_in_for_a_damaged_one(tmp_path: Path):
    photos = folder_of(tmp_path, *[(32, 32)] * 3)
    order = sorted(photos.names, key=hash_fraction)
    (tmp_path / order[0]).write_bytes(b"gone")
    unusable = SkippedImages(1000, "x")
    loaded = load_validation(photos, unusable, most=2, size=256)
    assert [name for name, _ in loaded] == sorted(order[1:])
    assert list(unusable.reasons) == [order[0]]


def test_too_many_damaged_images(tmp_path: Path):
    photos = folder_of(tmp_path, *[(32, 32)] * 4)
    for path in photos.paths:
        path.write_bytes(b"gone")
    unusable = SkippedImages(50, "the folder")
    with pytest.raises(DataError, match="4 of 50 images of the folder"):
        load_validation(photos, unusable, most=2, size=256)


def test_item_is_a_batch_of_one_with_its_name():
    image = np.arange(16 * 32 * 3, dtype=np.uint8).reshape(16, 32, 3)
    item = ValidationImages([("a.png", image)])[0]
    assert item["name"] == "a.png"
    assert item["image"].shape == (1, 3, 16, 32)
    np.testing.assert_array_equal(item["image"][0, 2].numpy(), image[:, :, 2])
