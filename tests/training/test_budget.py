"""The share of the budget: ranks agree on the time, and only where the time is limited."""

from types import SimpleNamespace

import pytest
from lightning.pytorch.callbacks import Timer

from rnncodec.training import budget


@pytest.mark.parametrize(("limited", "expected"), [(False, 0.25), (True, 0.75)])
def test_ranks_agree_only_where_time_is_limited(
    monkeypatch: pytest.MonkeyPatch, limited: bool, expected: float
) -> None:
    monkeypatch.setattr(budget, "of_main", lambda _: 0.75)
    timers = [Timer({"hours": 1})] if limited else []
    trainer = SimpleNamespace(global_step=2, max_steps=8, callbacks=timers)
    assert budget.budget_used(trainer) == expected
    assert budget.own_budget_used(trainer) == 0.25
