import numpy as np
import pytest
import torch

from rnncodec.bitstream import info
from rnncodec.codec import load
from rnncodec.coding.encoding import PERFECT, Target, enough, fitting, needed
from rnncodec.coding.quality_target import QualityTarget
from rnncodec.coding.transform import Analysis
from rnncodec.errors import ConfigError, RNNCodecWarning


def test_as_many_iterations_as_a_rate_has_room_for() -> None:
    assert [fitting([0.1, 0.2, 0.3], bpp) for bpp in (0.1, 0.25, 9.0)] == [1, 2, 3]
    with pytest.warns(RNNCodecWarning, match=r"bpp=0.05 cannot be reached .* 0.100, is used"):
        assert fitting([0.1, 0.2], 0.05) == 1


def test_as_many_iterations_as_a_goal_needs() -> None:
    scores = torch.tensor([[20.0, 30.0, 25.0], [20.0, 21.0, 22.0]])
    goal = QualityTarget("psnr", 24.0)
    assert needed(goal, scores, 0) == 2
    with pytest.warns(RNNCodecWarning, match="psnr=24 cannot be reached .* 22, is used"):
        assert needed(goal, scores, 1) == 3
    assert needed(None, None, 0) is None


def test_one_target_at_most() -> None:
    assert Target.of(3, None, None, None) == Target()
    assert Target.of(None, 0.5, None, None) == Target(bpp=0.5)
    with pytest.raises(ConfigError, match="at most one of iterations, bpp, ms_ssim and psnr"):
        Target.of(3, 0.5, None, None)


def test_without_a_target_a_file_ends_where_the_picture_is_as_good_as_perfect() -> None:
    codec = load("compact")
    white = np.full((64, 96, 3), 255, np.uint8)
    data = codec.encode(white)
    used = info(data).iterations
    assert 1 < used < 8
    assert data == codec.encode(white, iterations=used)
    assert info(codec.encode(white, iterations=9)).iterations == 9, "asked for, they are there"
    errors = [
        np.square(np.asarray(picture).astype(float) - white).mean()
        for picture in codec.decode_progressive(data)
    ]
    assert errors[-1] < PERFECT + 0.2 < errors[-2]
    noise = np.random.default_rng(0).integers(0, 256, white.shape, np.uint8)
    both = [info(each).iterations for each in codec.encode_all([white, noise])]
    assert both == [used, 16]


def test_as_good_as_perfect_is_said_of_each_image() -> None:
    mse = np.array([[9.0, 0.6, 0.1], [9.0, 8.0, 0.7]])
    found = Analysis(np.zeros((2, 4, 1, 1, 32), np.uint8), mse=mse)
    assert enough(found, 0) == 2
    assert enough(found, 1) is None
