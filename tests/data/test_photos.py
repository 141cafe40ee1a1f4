import pickle
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from rnncodec.data.photos import DEMO_SPLITS, DemoPhotos, FolderPhotos, Photos, hash_fraction
from rnncodec.errors import DataError


def write(folder: Path, *names: str, side: int = 64) -> None:
    for value, name in enumerate(names):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (side, side), (value, 0, 0)).save(folder / name)


def test_folder_photos_are_named_by_relative_path(tmp_path: Path):
    write(tmp_path, "sub/b.png", "a.png")
    photos = FolderPhotos(tmp_path)
    assert photos.names == ["a.png", "sub/b.png"]
    assert photos.paths == [tmp_path / "a.png", tmp_path / "sub/b.png"]
    assert [(name, int(image[0, 0, 0])) for name, image in photos] == [
        ("a.png", 1),
        ("sub/b.png", 0),
    ]


def test_excluded_files_are_not_members(tmp_path: Path):
    write(tmp_path, "a.png", "b.png")
    assert FolderPhotos(tmp_path, exclude=[tmp_path / "a.png"]).names == ["b.png"]


def test_subset_keeps_the_given_order(tmp_path: Path):
    write(tmp_path, "a.png", "b.png", "c.png")
    subset = FolderPhotos(tmp_path).subset([2, 0])
    assert subset.names == ["c.png", "a.png"]
    assert subset.load(0)[0, 0].tolist() == [2, 0, 0]


def test_loaded_images_cannot_be_changed(tmp_path: Path):
    write(tmp_path, "a.png")
    image = FolderPhotos(tmp_path).load(0)
    with pytest.raises(ValueError, match="read-only"):
        image[0] = 0


def test_cache_keeps_the_most_recently_used_within_its_bytes(tmp_path: Path):
    names = [f"{letter}.png" for letter in "abc"]
    write(tmp_path, *names)
    photos = FolderPhotos(tmp_path, cache_mb=2 * 64 * 64 * 3 / 2**20)
    first, second = photos.load(0), photos.load(1)
    assert photos.load(0) is first
    photos.load(2)  # drops b.png, which was used least recently
    assert photos.load(0) is first
    assert photos.load(1) is not second


def test_no_cache(tmp_path: Path):
    write(tmp_path, "a.png")
    photos = FolderPhotos(tmp_path, cache_mb=0)
    first = photos.load(0)
    assert photos.load(0) is not first


def test_pickles_without_pixels(tmp_path: Path):
    write(tmp_path, "a.png", side=200)
    photos = FolderPhotos(tmp_path)
    photos.load(0)
    stored = pickle.dumps(photos)
    assert len(stored) < 2000
    np.testing.assert_array_equal(pickle.loads(stored).load(0), photos.load(0))


def test_unreadable_photo_is_named(tmp_path: Path):
    (tmp_path / "bad.png").write_bytes(b"?")
    photos = Photos([tmp_path / "bad.png"], ["bad.png"])
    with pytest.raises(DataError, match=r"bad\.png"):
        photos.load(0)


def test_demo_splits_share_no_photograph_and_no_scene():
    names = [name for split in DEMO_SPLITS.values() for name in split]
    assert len(set(names)) == len(names)
    motorcycles = [{n.startswith("motorcycle") for n in split} for split in DEMO_SPLITS.values()]
    assert sum(True in kinds for kinds in motorcycles) == 1


def test_demo_photographs_ship_with_scikit_image():
    photos = DemoPhotos("train", "validation", "evaluation")
    assert len(photos) == sum(len(split) for split in DEMO_SPLITS.values())
    for name, image in photos:
        assert min(image.shape[:2]) >= 256, name


def test_demo_evaluation_photographs_are_in_colour():
    for name, image in DemoPhotos("evaluation"):
        assert np.abs(image[:, :, 0].astype(int) - image[:, :, 2]).mean() > 10, name


@settings(deadline=None)
@given(st.text())
def test_hash_is_a_fraction(name: str):
    assert 0 <= hash_fraction(name) < 1


def test_hash_spreads_evenly():
    share = np.mean([hash_fraction(f"photos/{i}.jpg") < 0.1 for i in range(5000)])
    assert share == pytest.approx(0.1, abs=0.02)


def test_names_that_are_no_unicode_have_a_hash_too():
    assert 0 <= hash_fraction("caf\udce9.jpg") < 1
