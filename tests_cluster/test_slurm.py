"""Sweeps on a real Slurm end as if nothing had happened, whatever happens to them."""

import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests_cluster.own_slurm import PAIR, OwnSlurm, wait_until
from tests_cluster.processes import is_pending, process_of_rank
from tests_cluster.sweeps import Result, Sweep, results, steps_run, wandb_ids

ONE = ("cell=gru", "recon=additive")
WITH_ENTROPY = (
    *(*ONE, "entropy=binary_rnn", "entropy.hidden=8", "entropy_fit.data.crops=6"),
    *("entropy_fit.data.crop=32", "entropy_fit.data.batch_size=2", "entropy_fit.max_time=null"),
    *("entropy_fit.max_steps=6", "entropy_fit.val_check_interval=3"),
)
TWO_DEVICES = ("+trainer.strategy=ddp", "trainer.devices=2")
TWO_TASKS = (*WITH_ENTROPY, *TWO_DEVICES)
TWO_NODES = (
    *(*WITH_ENTROPY, "+trainer.strategy=ddp", "trainer.devices=1", "trainer.num_nodes=2"),
    f"hydra.launcher.partition={PAIR}",
)

TOLERANCE = 2e-5
"""Between weights of 1 and 2 ranks after 40 steps: sums of gradients in another order."""


@pytest.fixture(autouse=True)
def _empty_queue(slurm: OwnSlurm) -> Iterator[None]:
    """What a failed test leaves behind is none of the next one's business."""
    yield
    slurm.end_commands()
    slurm.cancel_all()
    slurm.wait_until_empty()


@pytest.fixture(scope="session")
def grid(
    slurm: OwnSlurm, photographs: tuple[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Sweep:
    """Four jobs that nothing disturbed."""
    folder = tmp_path_factory.mktemp("grid") / "sweep"
    sweep = Sweep(slurm, folder, ("cell=gru,lstm", "recon=additive,one_shot", *photographs))
    command = sweep.start()
    assert command.wait(900) == 0, sweep.log.read_text()[-3000:]
    assert (folder / "comparison/table.md").exists(), "put side by side at the end"
    return sweep


@pytest.fixture(scope="session")
def undisturbed(grid: Sweep) -> Result:
    """The grid's job that the tests below disturb."""
    wanted = dict(part.split("=") for part in ONE)
    (found,) = (result for result in results(grid.folder).values() if result.factors == wanted)
    return found


@pytest.fixture(scope="session")
def two_nodes(
    slurm: OwnSlurm, photographs: tuple[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Sweep:
    """A job of one task on each of two nodes that nothing disturbed."""
    folder = tmp_path_factory.mktemp("nodes") / "sweep"
    sweep = Sweep(slurm, folder, (*TWO_NODES, *photographs))
    sweep.run()
    return sweep


@pytest.fixture
def sweep(slurm: OwnSlurm, photographs: tuple[str, str], tmp_path: Path) -> Sweep:
    """One job, to be disturbed."""
    return Sweep(slurm, tmp_path / "sweep", (*ONE, *photographs))


def only(folder: Path) -> Result:
    (result,) = results(folder).values()
    return result


def test_a_grid_finishes_with_one_wandb_run_each_and_is_not_repeated(grid: Sweep) -> None:
    assert [run.state for run in grid.runs()] == ["done"] * 4
    ids = [wandb_ids(path.parent) for path in grid.folder.glob("*/job.json")]
    assert [len(found) for found in ids] == [1] * 4
    assert len(set.union(*ids)) == 4
    models = sorted(grid.folder.glob("*/model.safetensors"))
    before = [path.stat().st_mtime_ns for path in models]
    assert grid.start().wait(900) == 0
    assert [path.stat().st_mtime_ns for path in models] == before
    assert {steps_run(path.parent) for path in models} == {40}
    assert [run.attempt for run in grid.runs()] == [1] * 4


def alike(a: Result, b: Result) -> bool:
    """As far as sums in another order let them be."""
    same_score = a.score == pytest.approx(b.score, abs=1e-4)
    return a.step == b.step and same_score and a.furthest(b) < TOLERANCE


def test_two_nodes_end_with_the_weights_and_scores_of_one_task(
    slurm: OwnSlurm, two_nodes: Sweep, photographs: tuple[str, str], tmp_path: Path
) -> None:
    one = Sweep(slurm, tmp_path / "sweep", (*WITH_ENTROPY, *photographs))
    one.run()
    assert alike(only(one.folder), only(two_nodes.folder))
    assert all(f"node={number}(2)" in two_nodes.said() for number in (0, 1)), "both took part"
    folders = [path.parent for path in two_nodes.folder.glob("*/job.json")]
    assert len(folders) == 1, "one run directory"
    assert len(wandb_ids(folders[0])) == 1, "one W&B run"


def test_requeued_in_the_middle(sweep: Sweep, undisturbed: Result) -> None:
    command = sweep.start()
    pid = sweep.freeze_midway()
    (job,) = sweep.slurm.queued()
    subprocess.run(["scontrol", "requeue", job], env=sweep.slurm.environment, check=True)
    os.kill(pid, signal.SIGCONT)
    sweep.slurm.wait_until_empty()
    went_on_by_itself(sweep, command, undisturbed)


def test_two_tasks_requeued_in_the_middle_end_after_the_same_step(
    slurm: OwnSlurm, undisturbed: Result, photographs: tuple[str, str], tmp_path: Path
) -> None:
    sweep = Sweep(slurm, tmp_path / "sweep", (*ONE, *TWO_DEVICES, *photographs))
    command = sweep.start()
    pid = sweep.freeze_midway()
    (job,) = slurm.queued()
    subprocess.run(["scontrol", "requeue", job], env=slurm.environment, check=True)
    os.kill(pid, signal.SIGCONT)
    slurm.wait_until_empty()
    assert command.wait(900) == 0, sweep.log.read_text()[-3000:]
    (run,) = sweep.runs()
    assert (run.state, run.attempt) == ("done", 2)
    assert sweep.said().count("told to end (SIGTERM) after step") == 2, "both ranks"
    assert steps_run(sweep.record().parent) == 40, "none twice"
    assert alike(only(sweep.folder), undisturbed)


def test_time_limit_hit(sweep: Sweep, undisturbed: Result) -> None:
    command = sweep.start("hydra.launcher.signal_delay_s=5")
    pid = sweep.freeze_midway()  # so that no machine is too fast or too slow
    (job,) = sweep.slurm.queued()
    sweep.slurm.end_soon(job)

    def warned() -> bool:
        if is_pending(pid, signal.SIGUSR2):
            os.kill(pid, signal.SIGCONT)  # Slurm's own may come before its warning, or after it
        return "Caught signal SIGUSR2" in sweep.said()

    wait_until(warned, "Slurm warns of the time limit")
    wait_until(lambda: sweep.slurm.state(job) == "PENDING", "it is queued again")
    sweep.slurm.limit(job, minutes=10)  # one more attempt is enough, however slow the machine
    sweep.slurm.wait_until_empty()
    assert "this job is timed-out" in sweep.said()
    went_on_by_itself(sweep, command, undisturbed)


def went_on_by_itself(sweep: Sweep, command: subprocess.Popen[bytes], wanted: Result) -> None:
    """In a second attempt, which the command has waited for, to the same end."""
    assert command.wait(900) == 0, sweep.log.read_text()[-3000:]
    (run,) = sweep.runs()
    assert (run.state, run.attempt) == ("done", 2)
    assert only(sweep.folder).same_as(wanted)
    assert len(wandb_ids(sweep.record().parent)) == 1, "the same W&B run"
    assert steps_run(sweep.record().parent) < 80, "from its checkpoint on"


def test_kill_of_one_of_two_tasks_on_a_node(
    slurm: OwnSlurm, two_nodes: Sweep, photographs: tuple[str, str], tmp_path: Path
) -> None:
    sweep = Sweep(slurm, tmp_path / "sweep", (*TWO_TASKS, *photographs))
    sweep.start()
    pid = sweep.freeze_midway()
    (job,) = slurm.queued()
    os.kill(process_of_rank(1, job.partition("_")[0]), signal.SIGKILL)
    os.kill(pid, signal.SIGCONT)
    slurm.wait_until_empty()
    slurm.end_commands()
    (run,) = sweep.runs()
    assert run.state == "failed"
    assert run.reason
    sweep.run()
    (run,) = sweep.runs()
    assert (run.state, run.attempt) == ("done", 2)
    assert alike(only(sweep.folder), only(two_nodes.folder))
    assert "local_rank=1(2), node=0(1)" in sweep.said(), "both on one node"


def test_full_run_directory(sweep: Sweep, undisturbed: Result) -> None:
    sweep.folder.mkdir(parents=True)
    place = str(sweep.folder)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=7m", "tmpfs", place], check=True)
    try:
        sweep.run()
        (run,) = sweep.runs()
        assert run.state == "failed"
        assert "No space left" in str(run.reason), run.reason
        subprocess.run(["mount", "-o", "remount,size=200m", place], check=True)
        sweep.run()
        (run,) = sweep.runs()
        assert (run.state, run.attempt) == ("done", 2)
        assert only(sweep.folder).same_as(undisturbed)
    finally:
        subprocess.run(["umount", place], check=True)
