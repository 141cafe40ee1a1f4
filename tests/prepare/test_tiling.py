import numpy as np
import pytest
from PIL import Image

from rnncodec.prepare.settings import Mode, Settings
from rnncodec.prepare.tiling import (
    cut_tiles,
    non_overlapping,
    png_sizes,
    shrink_to_fit,
    tile_permutation,
)


def noise(height: int, width: int) -> np.ndarray:
    rng = np.random.default_rng(0)
    scale = rng.integers(1, 128, (height // 16 + 1, width // 16 + 1, 1))
    scale = scale.repeat(16, axis=0).repeat(16, axis=1)[:height, :width]
    return (rng.random((height, width, 3)) * scale).astype(np.uint8)


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        ((720, 1280), (720, 1280)),
        ((1440, 2560), (720, 1280)),
        ((2560, 1440), (1280, 720)),
        ((1000, 1000), (720, 720)),
        ((100, 2560), (50, 1280)),
        ((300, 200), (300, 200)),
    ],
)
def test_shrink_fits_either_way_and_never_enlarges(size, expected):
    assert shrink_to_fit(np.zeros((*size, 3), np.uint8), (1280, 720)).shape[:2] == expected


def test_tiles_do_not_overlap_and_leave_out_the_rest():
    image = noise(50, 70)
    tiles = non_overlapping(image, 16)
    assert len(tiles) == 3 * 4
    assert np.array_equal(tiles[5], image[16:32, 16:32])


def test_high_entropy_keeps_the_worst_by_png_size():
    image, settings = noise(80, 96), Settings(tile=16, keep=7)
    tiles = cut_tiles(image, "a", settings)
    sizes = png_sizes(non_overlapping(image, 16))
    assert sorted(tiles.scores) == sorted(sizes)[-7:]
    for pixels, top, left, score in zip(*tiles, strict=True):
        assert np.array_equal(pixels, image[top : top + 16, left : left + 16])
        assert sizes[top // 16 * 6 + left // 16] == score


def test_of_equal_tiles_the_first_are_kept():
    tiles = cut_tiles(np.zeros((64, 64, 3), np.uint8), "a", Settings(tile=32, keep=2))
    assert list(zip(tiles.tops, tiles.lefts, strict=True)) == [(0, 0), (0, 32)]


def test_random_tiles_depend_on_seed_and_name_alone():
    def places(name: str, seed: int) -> list[tuple[int, int]]:
        settings = Settings(mode=Mode.RANDOM, tile=16, keep=9, seed=seed)
        tiles = cut_tiles(noise(80, 96), name, settings)
        assert tiles.scores == png_sizes(tiles.pixels)
        return list(zip(tiles.tops, tiles.lefts, strict=True))

    assert places("a", 0) == places("a", 0)
    assert len(set(places("a", 0))) == 9
    assert places("a", 0) != places("b", 0)
    assert places("a", 0) != places("a", 1)


def test_every_tile_is_equally_likely():
    firsts = [tile_permutation(0, f"{n}.jpg", 10)[0] for n in range(3000)]
    assert np.bincount(firsts, minlength=10) == pytest.approx(300, abs=75)


def test_all_and_thumbnail():
    image = noise(80, 96)
    assert len(cut_tiles(image, "a", Settings(mode=Mode.ALL, tile=16)).pixels) == 30
    (thumbnail,) = cut_tiles(image, "a", Settings(mode=Mode.THUMBNAIL, tile=32)).pixels
    expected = Image.fromarray(image).resize((32, 32), Image.Resampling.BOX)
    assert np.array_equal(thumbnail, np.asarray(expected))
