"""How far the runs below a folder are, read from the files that they keep."""

import json
import socket
from collections.abc import Collection, Iterable, Sequence
from dataclasses import asdict, dataclass
from heapq import heapify, heapreplace
from pathlib import Path
from typing import Any

from rnncodec.errors import ConfigError
from rnncodec.machine.inplace_json import read_page
from rnncodec.runs import liveness
from rnncodec.runs.run_directory import SWEEP, RunFiles, failure_note

STATES = ("done", "running", "failed", "waiting")


@dataclass(frozen=True)
class RunStatus:
    """State of one run.

    ``left`` is that of the phase at hand, in seconds; ``seconds`` were spent so far, in all
    attempts. None is what is not known.
    """

    name: str
    state: str
    phase: str | None = None
    step: int | None = None
    steps: int | None = None
    left: float | None = None
    seconds: float | None = None
    attempt: int | None = None
    host: str | None = None
    reason: str | None = None

    def as_json(self) -> dict[str, Any]:
        """The fields."""
        return asdict(self)


def find_runs(folder: Path) -> list[RunStatus]:
    """The runs in and below a folder, and those that a sweep has yet to begin.

    Raises:
        ConfigError: there is none.
    """
    found = {path.parent for path in folder.rglob("job.json")}
    summaries = folder.rglob("evaluation/summary.json")
    found |= {path.parent.parent for path in summaries}  # of runs older than the record
    for plan in folder.rglob(SWEEP):
        found |= {plan.parent / name for name in planned(plan)}
    if not found:
        raise ConfigError(
            f"{folder}: no run in or below it; give the folder of a run or sweep, as in outputs"
        )
    quiet = silent_runs(found)
    return [run_status(path, name_below(path, folder), quiet) for path in sorted(found)]


def planned(plan: Path) -> list[str]:
    """The run directories that a sweep's record names."""
    try:
        jobs = json.loads(plan.read_text())["jobs"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigError(f"{plan}: this record of a sweep is damaged; delete it") from error
    return [str(name) for name in jobs]


def name_below(path: Path, folder: Path) -> str:
    """The path as seen from the folder that was asked for."""
    return path.resolve().name if path == folder else str(path.relative_to(folder))


def silent_runs(folders: Iterable[Path]) -> set[Path]:
    """Those whose process is dead, of the runs where that takes watching: a minute at most."""
    here = socket.gethostname()
    watched = {
        files.record: files.folder
        for files in map(RunFiles, folders)
        if (record := read_page(files.record) or {}).get("state") == "running"
        and not files.finished
        and liveness.verdict(record, files.lock, host=here) is None
    }
    return {watched[record] for record in liveness.silent(watched)}


def run_status(folder: Path, name: str, silent: Collection[Path] | None = None) -> RunStatus:
    """State of one run directory, which need not exist.

    Args:
        folder: the directory.
        name: what to call it.
        silent: the result of :func:`silent_runs`; None: this one is watched if need be.
    """
    files = RunFiles(folder)
    if silent is None:
        silent = silent_runs([folder])
    record = read_page(files.record) or {}
    known = {key: record.get(key) for key in ("phase", "seconds", "attempt", "host", "reason")}
    known |= training_so_far(files, record)
    if record.get("state") == "running":
        alive = liveness.verdict(record, files.lock, host=socket.gethostname())
        if alive or (alive is None and not files.finished and folder not in silent):
            return RunStatus(name, "running", **known)
        if not files.finished:
            known["reason"] = "ended without a word: killed, or the machine went down"
            if liveness.is_locked(files.lock):
                known["reason"] = liveness.advice(record, files.lock)
            return RunStatus(name, "failed", **known | {"left": None})
    known["left"] = None
    if files.finished:
        return RunStatus(name, "done", **known | {"reason": None})
    if (note := read_page(failure_note(folder))) is not None:
        return RunStatus(name, "failed", **known | {"reason": note.get("reason")})
    return RunStatus(name, "failed" if record.get("state") == "failed" else "waiting", **known)


def training_so_far(files: RunFiles, record: dict[str, Any]) -> dict[str, Any]:
    """Steps of the training at hand, or of the last one; time left if it goes on."""
    progress = read_page(files.progress) or {}
    steps = {"step": progress.get("step"), "steps": progress.get("steps")}
    if not progress or progress["at"] == record.get("past"):
        return {**steps, "left": None}
    return {**steps, "left": time_left(progress)}


def time_left(progress: dict[str, Any]) -> float | None:
    """Seconds until the budget is used up, at the pace of this attempt.

    >>> time_left({"used": 0.5, "from": 0.25, "began": 1000.0, "at": 1010.0})
    20.0
    """
    gained = progress["used"] - progress["from"]
    if gained <= 0:
        return None
    pace = (progress["at"] - progress["began"]) / gained
    return float(pace * (1 - progress["used"]))


def sweep_left(runs: Iterable[RunStatus]) -> float | None:
    """Seconds until all are done, if as many run at a time as now; None where it is unknown.

    Each of those to do takes the first place that becomes free; the sweep lasts as long as the
    longest.

    Runs that failed count as still to be done: repeating the command retries them. A run that
    does not know its time left, as in its evaluation, counts as what the others took on average,
    less what it has taken.

    >>> done, waiting = RunStatus("a", "done", seconds=60.0), RunStatus("b", "waiting")
    >>> sweep_left([done, waiting, RunStatus("c", "running", left=20.0)])
    80.0
    >>> sweep_left([done, RunStatus("b", "running", phase="evaluate_codec", seconds=50.0)])
    10.0
    """
    found = list(runs)
    running = [run for run in found if run.state == "running"]
    to_do = [run for run in found if run.state in ("waiting", "failed")]
    spent = [run.seconds for run in found if run.state == "done" and run.seconds]
    if not spent and (to_do or any(run.left is None for run in running)):
        return None
    each = sum(spent) / len(spent) if spent else 0.0
    rests = [max(0.0, each - (run.seconds or 0.0)) for run in running if run.left is None]
    lefts = [run.left for run in running if run.left is not None]
    places = [*rests, *lefts] or [0.0]
    heapify(places)
    for _ in to_do:
        heapreplace(places, places[0] + each)
    return max(places)


def told_apart(names: Sequence[str]) -> tuple[list[str], list[str]]:
    """What all names say, and each of them without it.

    >>> told_apart(["cell=gru,recon=additive,seed=0", "cell=lstm,recon=additive,seed=0"])
    (['recon=additive', 'seed=0'], ['cell=gru', 'cell=lstm'])

    Nothing is left out where a name would have nothing left.
    """
    parts = [name.split(",") for name in names]
    common = [part for part in parts[0] if all(part in other for other in parts)] if parts else []
    shorter = [",".join(part for part in own if part not in common) for own in parts]
    return (common, shorter) if all(shorter) else ([], list(names))
