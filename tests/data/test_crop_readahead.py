import itertools
import pickle
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from rnncodec.data import photos
from rnncodec.data.crops import CropReadahead, Crops
from rnncodec.data.photos import FolderPhotos, SkippedImages
from rnncodec.data.random_crop import RandomCrop
from rnncodec.data.resumable import CropLoader, InfiniteBatches
from rnncodec.images.reading import Pixels, read_image

SIZES = [(40, 24), (20, 60), (32, 32), (18, 50), (64, 20)]
CROP_MB = 3 * 16 * 16 / 2**20


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    for number, (width, height) in enumerate(SIZES):
        pixels = rng.integers(0, 256, (height, width, 3), np.uint8)
        Image.fromarray(pixels).save(tmp_path / f"{number}.png")
    return tmp_path


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The files that have been decoded, in order."""
    files: list[Path] = []

    def read(path: Path) -> Pixels:
        files.append(path)
        return read_image(path)

    monkeypatch.setattr(photos, "read_image", read)
    return files


def crops_of(folder: Path, *, ahead: int, cache_mb: float = 0) -> Crops:
    photographs = FolderPhotos(folder, cache_mb=cache_mb)
    return Crops(photographs, SIZES, RandomCrop(16, 0), ahead_mb=ahead * CROP_MB)


def test_samples_are_the_same_and_photographs_decoded_far_less_often(folder: Path, decoded):
    plain, ahead = crops_of(folder, ahead=0), crops_of(folder, ahead=100)
    expected = [plain[index].image for index in range(500)]
    assert len(decoded) == 500
    decoded.clear()
    for index in range(500):
        np.testing.assert_array_equal(ahead[index].image, expected[index])
    # the window begins with 64 samples; then each of 5 photographs serves 100 samples at a time
    assert len(decoded) <= 5 * (500 / 100 + 1)


@pytest.mark.parametrize(
    "order", [range(40, -1, -1), (0, 300, 301, 7, 8, 9, 302), range(0, 90, 7)]
)
def test_samples_are_the_same_in_any_order(folder: Path, order):
    plain, ahead = crops_of(folder, ahead=0), crops_of(folder, ahead=50)
    for index in order:
        np.testing.assert_array_equal(ahead[index].image, plain[index].image)


@pytest.mark.parametrize("workers", [0, 1, 2])
def test_batches_are_the_same_for_any_number_of_workers(folder: Path, workers: int):
    def batches(ahead: int, workers: int) -> list[dict]:
        sampler = InfiniteBatches(lambda: 12, 4, rank=1, ranks=2)
        unusable = SkippedImages(len(SIZES), "the test")
        samples = crops_of(folder, ahead=ahead)
        loader = CropLoader(samples, sampler, unusable, num_workers=workers)
        return list(itertools.islice(loader, 20))

    for batch, expected in zip(batches(64, workers), batches(0, 0), strict=True):
        assert batch["index"].tolist() == expected["index"].tolist()
        np.testing.assert_array_equal(batch["image"], expected["image"])


def test_a_photograph_in_the_cache_is_not_cut_ahead(folder: Path, decoded):
    crops = crops_of(folder, ahead=10_000, cache_mb=1)
    for index in range(300):
        crops[index]
    assert len(decoded) == len(SIZES)
    kept = len(crops._readahead._crops)
    crops[300]
    assert len(crops._readahead._crops) in (kept, kept - 1)


def test_a_damaged_photograph_is_replaced_by_the_same_one(folder: Path):
    plain, ahead = crops_of(folder, ahead=0), crops_of(folder, ahead=100)
    (folder / "1.png").write_bytes(b"damaged")
    for index in range(200):
        np.testing.assert_array_equal(ahead[index].image, plain[index].image)
    assert ahead[201].failed.keys() <= {"1.png"}


def test_what_is_kept_is_bounded_whoever_takes_the_other_samples():
    ahead = CropReadahead(lambda sample: sample % 3, reach=30)
    for sample in range(0, 400, 4):  # one worker of four
        ahead.take(sample)
        ahead.cut(sample % 3, lambda sample: np.full((1, 1, 3), sample))
        assert all(sample < kept <= sample + 30 for kept in ahead._crops)
        assert len(ahead._crops) <= 30


def test_pickling_carries_no_pixels(folder: Path):
    crops = crops_of(folder, ahead=5000)
    for index in range(300):
        crops[index]
    assert len(crops._readahead._crops) > 1000
    again = pickle.loads(pickle.dumps(crops))
    assert not again._readahead._crops
    np.testing.assert_array_equal(again[300].image, crops[300].image)
