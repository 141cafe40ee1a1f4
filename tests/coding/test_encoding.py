import pytest
import torch

from rnncodec.coding.encoding import Target, fitting, needed
from rnncodec.coding.quality_target import QualityTarget
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
