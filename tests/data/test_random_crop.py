import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from rnncodec.data.random_crop import RandomCrop, draw, resized, scale, shrink_range
from rnncodec.errors import ConfigError


def noise(height: int, width: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)


def ramp(height: int, width: int) -> np.ndarray:
    """Red is 2x and green 2y, so that a crop tells where it came from and how far it reaches."""
    y, x = np.mgrid[:height, :width]
    return np.stack([2 * x, 2 * y, 0 * x], axis=2).astype(np.uint8)


def test_draws_are_pinned():
    # a run resumed under another version of NumPy must go on with the same crops
    assert draw(0, 0) == list(np.random.Philox(key=0, counter=1 << 128).random_raw(4))
    assert draw(3, 5)[0] == 17438382402927903094


def test_neighbouring_samples_share_no_numbers():
    numbers = [number for index in range(500) for number in draw(0, index)]
    assert len(set(numbers)) == len(numbers)


@settings(deadline=None)
@given(st.integers(0, 2**64 - 1), st.integers(1, 2**40))
def test_scale_stays_in_range_and_keeps_order(number: int, below: int):
    assert 0 <= scale(number, below) < below
    assert scale(number // 2, below) <= scale(number, below)


@pytest.mark.parametrize(("top", "left"), [(0, 0), (20, 32), (60, 100)])
def test_shrunk_crop_is_that_of_the_shrunk_photograph(top: int, left: int):
    image = noise(100, 140)
    whole = np.asarray(Image.fromarray(image).resize((70, 50), Image.Resampling.LANCZOS))
    part = resized(image, top, left, 40, 20)
    np.testing.assert_array_equal(
        part, whole[top // 2 : top // 2 + 20, left // 2 : left // 2 + 20]
    )


@pytest.mark.parametrize("share", [0.37, 0.5, 0.999])
def test_every_shrunk_crop_lies_inside(share: float):
    random_crop = RandomCrop(16, 0, (share, share))
    image = ramp(random_crop.source_side, random_crop.source_side + 5)
    for index in range(100):
        crop = random_crop.cut(image, index).astype(float)
        assert crop.shape == (16, 16, 3)
        # on a ramp Lanczos is exact but near the rim, which it repeats, and for rounding
        slope = np.abs(np.diff(crop[4:-4, 4:-4, 0], axis=1))
        np.testing.assert_allclose(slope, 2 / share, atol=1.5)


def test_shares_are_uniform_over_the_range():
    random_crop = RandomCrop(16, 0, (0.25, 1.0))
    image = ramp(90, 90)
    slopes = [
        abs(crop[8, 11, 0] - crop[8, 4, 0]) / 7
        for crop in (random_crop.cut(image, index).astype(float) for index in range(400))
    ]
    shares = 2 / np.array(slopes)
    assert shares.min() < 0.3
    assert shares.max() > 0.95
    np.testing.assert_allclose(shares.mean(), 0.625, atol=0.04)  # 4 standard errors


def test_without_shrinking_a_crop_is_a_view():
    image = noise(40, 40)
    assert np.shares_memory(RandomCrop(16, 0).cut(image, 3), image)


@pytest.mark.parametrize(
    "shrink", ["ab", None, 0, -0.5, 1.1, [], [0.5], [0.8, 0.5], [0.5, 0.6, 0.7], [0, 1]]
)
def test_share_out_of_range(shrink):
    with pytest.raises(ConfigError, match=r"data.shrink=.*: expected a share of the sides"):
        shrink_range(shrink)
