"""The learning-rate factor and the budget it follows, on which ranks agree."""

import math
from types import SimpleNamespace

import pytest
from lightning.pytorch.callbacks import Timer

from rnncodec.errors import ConfigError
from rnncodec.training import schedule
from rnncodec.training.schedule import WarmupCosine, progress


def test_warms_up_then_follows_a_half_cosine() -> None:
    schedule = WarmupCosine(warmup_steps=10, final=0.1)
    assert [schedule(step, 0.0) for step in (0, 4, 9, 10)] == pytest.approx([0.1, 0.5, 1.0, 1.0])
    for p in (0.0, 0.25, 0.5, 0.75, 1.0):
        expected = 0.1 + 0.9 * (1 + math.cos(math.pi * p)) / 2
        assert schedule(1000, p) == pytest.approx(expected)


def test_the_budget_that_is_further_used_up_counts() -> None:
    assert progress(step=50, max_steps=100, elapsed=1.0, max_seconds=10.0) == 0.5
    assert progress(step=50, max_steps=100, elapsed=9.0, max_seconds=10.0) == 0.9
    assert progress(step=50, max_steps=-1, elapsed=9.0, max_seconds=None) == 0.0
    assert progress(step=500, max_steps=100, elapsed=0.0, max_seconds=None) == 1.0


@pytest.mark.parametrize("arguments", [{"warmup_steps": -1}, {"final": 1.5}])
def test_impossible_schedules_are_refused(arguments: dict) -> None:
    with pytest.raises(ConfigError, match="expected warmup_steps >= 0"):
        WarmupCosine(**arguments)


@pytest.mark.parametrize(("limited", "expected"), [(False, 0.25), (True, 0.75)])
def test_ranks_agree_only_where_time_is_limited(
    monkeypatch: pytest.MonkeyPatch, limited: bool, expected: float
) -> None:
    monkeypatch.setattr(schedule, "of_main", lambda _: 0.75)
    timers = [Timer({"hours": 1})] if limited else []
    trainer = SimpleNamespace(global_step=2, max_steps=8, callbacks=timers)
    assert schedule.budget_used(trainer) == expected
    assert schedule.own_budget_used(trainer) == 0.25
