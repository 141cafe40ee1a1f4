"""What the progress bar asks of the device, and what the progress file says when, on rank 0."""

from itertools import count
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from rnncodec.machine.storage import read_page
from rnncodec.training.callbacks import ProgressFile, TrainingProgress


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


def trainer(step: int, *, main: bool = True) -> Any:
    return SimpleNamespace(
        global_step=step, max_steps=8, callbacks=[], is_global_zero=main, world_size=1
    )


@pytest.mark.parametrize(("every", "seen"), [(0.0, 6), (60.0, 4)])
def test_steps_and_share_are_written_when_due(tmp_path: Path, every: float, seen: int) -> None:
    progress: Any = ProgressFile(tmp_path / "page", every=every)
    progress.on_train_start(trainer(4), None)
    progress.on_train_batch_end(trainer(6), None, None, None, 0)
    page = read_page(tmp_path / "page")
    assert page is not None
    assert (page["step"], page["steps"], page["from"]) == (seen, 8, 0.5)
    progress.on_train_end(trainer(8), None)
    page = read_page(tmp_path / "page")
    assert page is not None
    assert (page["step"], page["used"]) == (8, 1.0)


def test_other_ranks_write_nothing(tmp_path: Path) -> None:
    progress: Any = ProgressFile(tmp_path / "page")
    progress.on_train_start(trainer(4, main=False), None)
    assert not (tmp_path / "page").exists()
