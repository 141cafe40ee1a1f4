"""Rates and qualities between two iterations, by the small trained model."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch

from rnncodec.bitstream import UNSENT, info, sending
from rnncodec.codec import load
from rnncodec.coding.partial import block_errors, fewest_blocks, filling, in_worst_blocks
from rnncodec.coding.quality_target import QualityTarget
from rnncodec.data.photos import DemoPhotos

GOLDEN = load(Path(__file__).parents[1] / "golden" / "model.safetensors")
PHOTO = next(image for _, image in DemoPhotos("train"))[20:228, 180:388]


def psnr(data: bytes) -> float:
    error = (np.asarray(GOLDEN.decode(data), float) - PHOTO) ** 2
    return float(10 * np.log10(255**2 / error.mean()))


@pytest.mark.parametrize("tile", [0, 96])
def test_a_rate_is_filled_and_kept(tile: int) -> None:
    rates = info(GOLDEN.encode(PHOTO, tile=tile)).bpp
    asked = np.linspace(rates[0] * 1.02, rates[-1] * 0.99, 9)
    files = [GOLDEN.encode(PHOTO, bpp=float(bpp), tile=tile) for bpp in asked]
    used = np.array([info(data).bpp[-1] for data in files]) / asked
    assert ((used >= 0.97) & (used <= 1)).all(), used
    qualities = [psnr(data) for data in files]
    assert qualities == sorted(qualities), "each further byte makes the picture better"


def test_the_picture_between_two_iterations_is_better_than_the_line_between_both() -> None:
    whole = [GOLDEN.encode(PHOTO, iterations=n) for n in (1, 2, 3)]
    for low, high in pairwise(whole):
        for share in (0.3, 0.5, 0.7):
            size = len(low) + share * (len(high) - len(low))
            data = GOLDEN.encode(PHOTO, bpp=8 * size / (208 * 208))
            got = (len(data) - len(low)) / (len(high) - len(low))
            assert psnr(data) > psnr(low) + got * (psnr(high) - psnr(low))


@pytest.mark.parametrize("metric", ["psnr", "ms_ssim"])
def test_a_quality_is_reached_and_hardly_passed(metric: str) -> None:
    x = torch.tensor(PHOTO).permute(2, 0, 1)[None]

    def score(data: bytes) -> float:
        decoded = torch.tensor(np.asarray(GOLDEN.decode(data))).permute(2, 0, 1)[None]
        return float(QualityTarget(metric, 0.5).score(x, decoded))

    first, last = (score(GOLDEN.encode(PHOTO, iterations=n)) for n in (1, 3))
    for share in (0.2, 0.4, 0.6, 0.8):
        target = first + share * (last - first)
        found = score(GOLDEN.encode(PHOTO, **{metric: target}))
        assert target <= found <= target + 0.12 * (last - first)


def test_blocks_are_taken_in_the_order_of_their_errors_as_far_as_they_send() -> None:
    codes = np.ones((2, 2, 3, 32), np.uint8)
    codes[1, 0, 0] = UNSENT
    errors = np.array([[9.0, 3, 5], [4, 1, 2]])
    assert sending(in_worst_blocks(codes, errors, 3)[1]).tolist() == [
        [False, True, True],
        [True, False, False],
    ]
    np.testing.assert_array_equal(in_worst_blocks(codes, errors, 5), codes)
    assert (codes[1, 0, 1] == 1).all(), "what was given stays"


def test_filling_leaves_out_the_last_iteration_where_no_block_of_it_fits() -> None:
    codes = np.ones((2, 2, 2, 32), np.uint8)

    def write(trial: np.ndarray) -> bytes:
        return bytes(10 * len(trial) + int(sending(trial[-1]).sum()))

    errors = np.arange(4.0).reshape(2, 2)
    assert len(filling(codes, errors, write, 20)) == 1
    assert sending(filling(codes, errors, write, 22)[1]).sum() == 2


def test_errors_of_blocks_and_how_many_a_goal_needs() -> None:
    reference = torch.zeros(1, 3, 20, 40, dtype=torch.uint8)
    before, after = reference.clone(), reference.clone()
    before[..., :16, 16:32] = 2
    before[0, 0, 19, 39] = 7
    errors = block_errors(reference, before)
    assert errors.tolist() == [[0, 3 * 256 * 4, 0], [0, 0, 49]]
    error_without_the_worst = 49 / (3 * 20 * 40)
    goal = QualityTarget("psnr", 10 * np.log10(255**2 / error_without_the_worst) - 0.1)
    count, _ = fewest_blocks(reference, before, after, goal)
    assert count == 1
