"""Ranks wait for what rank 0 says, and end where it ends (whole runs: test_experiment)."""

from datetime import timedelta

import pytest
from omegaconf import OmegaConf
from torch import distributed as dist

from rnncodec.errors import RNNCodecError
from rnncodec.training import run_context


@pytest.fixture
def two_tasks(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a task of two that Slurm has started."""
    tasks = {"NTASKS": "2", "NTASKS_PER_NODE": "2", "PROCID": "0", "LOCALID": "0", "NODEID": "0"}
    for name, value in (tasks | {"JOB_NAME": "train"}).items():
        monkeypatch.setenv(f"SLURM_{name}", value)


@pytest.mark.usefixtures("two_tasks")
@pytest.mark.parametrize(
    ("trainer", "together"),
    [({"devices": 1}, False), ({"devices": 2}, True), ({"devices": 1, "num_nodes": 2}, True)],
)
def test_ranks_meet_where_there_are_several(trainer: dict[str, int], together: bool) -> None:
    found = run_context.started_together(OmegaConf.create(trainer))
    assert (found is not None) == together


def test_ranks_do_not_meet_where_rank_0_starts_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SLURM_NTASKS", raising=False)
    assert run_context.started_together(OmegaConf.create({"devices": 2})) is None
    with run_context.rendezvous(None, "run") as begins:
        begins("phase")


def test_a_phase_that_rank_0_has_begun_begins() -> None:
    store = dist.HashStore()
    store.set("train", "")
    store.set(run_context.END, "rank 0 ended: later")
    run_context.wait_for(store, "train")
    with pytest.raises(RNNCodecError, match="rank 0 ended: later"):
        run_context.wait_for(store, "evaluate")


def test_rank_0_gone_without_a_word_ends_the_others() -> None:
    where = {"timeout": timedelta(seconds=10), "wait_for_workers": False}
    server = dist.TCPStore("127.0.0.1", 0, is_master=True, **where)
    store = dist.TCPStore("127.0.0.1", server.port, is_master=False, **where)
    del server
    with pytest.raises(RNNCodecError, match="rank 0 cannot be reached"):
        run_context.wait_for(store, "train")
