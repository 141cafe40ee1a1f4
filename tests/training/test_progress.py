"""What the progress bar asks of the device."""

from itertools import count
from types import SimpleNamespace
from typing import Any

import pytest

from rnncodec.training.progress import TrainingProgress


def test_figures_are_read_at_first_and_every_so_many_steps(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    bar, reads = TrainingProgress(every=10), count(1)
    monkeypatch.setattr(bar, "latest", lambda *_: {"reads": next(reads)})
    shown = []
    for step in range(3, 22):
        trainer: Any = SimpleNamespace(global_step=step)
        shown.append(bar.get_metrics(trainer, None)["reads"])
    assert shown == [1] * 7 + [2] * 10 + [3] * 2
