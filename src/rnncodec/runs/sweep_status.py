"""How far the runs below a folder are, and whether they still run, read from their files.

A run holds a lock that the kernel takes back from the dead, and has a heartbeat. On one machine,
and on most network file systems, the lock is the whole truth. Where a file system has no locks,
or keeps them to each machine, it decides whether the heartbeat changes.
"""

import json
import socket
import time
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from heapq import heapify, heapreplace
from pathlib import Path
from typing import Any

from rnncodec.errors import ConfigError
from rnncodec.machine.locks import is_locked
from rnncodec.machine.storage import read_page
from rnncodec.runs.run_directory import SWEEP, RunFiles, run_folders

STATES = ("done", "running", "failed", "waiting")

BEAT = 10.0
"""Seconds between two heartbeats."""

STALE = 60.0
"""Seconds without a change after which a heartbeat is that of a dead process."""


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


def run_statuses(folder: Path) -> list[RunStatus]:
    """The runs in and below a folder, and those that a sweep has yet to begin.

    Raises:
        ConfigError: there is none.
    """
    found = set(run_folders(folder))
    for plan in folder.rglob(SWEEP):
        try:
            jobs = json.loads(plan.read_text())["jobs"]
            found |= {plan.parent / str(name) for name in jobs}
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ConfigError(f"{plan}: this record of a sweep is damaged; delete it") from error
    if not found:
        raise ConfigError(
            f"{folder}: no run in or below it; give the folder of a run or sweep, as in outputs"
        )
    silent = silent_runs(found)
    names = {path: str(path.relative_to(folder)) for path in found} | {
        folder: folder.resolve().name
    }
    return [run_status(path, names[path], silent) for path in sorted(found)]


def silent_runs(folders: Iterable[Path]) -> set[Path]:
    """Those whose process is dead, of the runs where that takes watching: a minute at most."""
    here = socket.gethostname()
    watched = {
        files.record: files.folder
        for files in map(RunFiles, folders)
        if (record := read_page(files.record) or {}).get("state") == "running"
        and not files.finished
        and verdict(record, files.lock, host=here) is None
    }
    return {watched[record] for record in silent(watched)}


def run_status(folder: Path, name: str, silent: Collection[Path] | None = None) -> RunStatus:
    """State of one run directory, which need not exist.

    Args:
        folder: the directory.
        name: what to call it.
        silent: the result of :func:`silent_runs`; None: this one is watched if need be.
    """
    files = RunFiles(folder)
    silent = silent_runs([folder]) if silent is None else silent
    record = read_page(files.record) or {}
    known = {key: record.get(key) for key in ("phase", "seconds", "attempt", "host", "reason")}
    known |= training_so_far(files, record)
    if record.get("state") == "running":
        alive = verdict(record, files.lock, host=socket.gethostname())
        if alive or (alive is None and not files.finished and folder not in silent):
            return RunStatus(name, "running", **known)
        if not files.finished:
            known["reason"] = "ended without a word: killed, or the machine went down"
            if is_locked(files.lock):
                known["reason"] = advice(record, files.lock)
            return RunStatus(name, "failed", **known | {"left": None})
    known["left"] = None
    if files.finished:
        return RunStatus(name, "done", **known | {"reason": None})
    if (failure := read_page(files.failure)) is not None:
        return RunStatus(name, "failed", **known | {"reason": failure.get("reason")})
    return RunStatus(name, "failed" if record.get("state") == "failed" else "waiting", **known)


def training_so_far(files: RunFiles, record: dict[str, Any]) -> dict[str, Any]:
    """Steps of the training at hand, or of the last one; time left if it is at work."""
    progress = read_page(files.progress) or {}
    current = progress and progress["at"] != record.get("past")
    left = time_left(progress) if current else None
    return {"step": progress.get("step"), "steps": progress.get("steps"), "left": left}


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

    Each run to do takes the first place that becomes free. Those that failed are to do: repeating
    the command retries them. A run that does not know its time left, as in its evaluation, counts
    as what the others took on average, less what it has taken.

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


def common_parts(names: Sequence[str]) -> tuple[list[str], list[str]]:
    """The parts that all names have, and each of them without these.

    >>> common_parts(["cell=gru,recon=additive,seed=0", "cell=lstm,recon=additive,seed=0"])
    (['recon=additive', 'seed=0'], ['cell=gru', 'cell=lstm'])

    Nothing is left out where a name would have nothing left.
    """
    parts = [name.split(",") for name in names]
    common = [part for part in parts[0] if all(part in other for other in parts)] if parts else []
    shorter = [",".join(part for part in own if part not in common) for own in parts]
    return (common, shorter) if all(shorter) else ([], list(names))


def verdict(record: dict[str, Any], lock: Path, *, host: str) -> bool | None:
    """Whether the process that wrote a run's record still runs, seen from ``host``.

    None where that takes watching (:func:`silent`): there are no locks, or they may not reach as
    far, or one that is held may be that of a dead machine, which its file server keeps until it
    is up. Clocks differ: one that is believed is a recent heartbeat of a run whose lock is held,
    and no heartbeat is too old to be watched.
    """
    held, here = is_locked(lock), record.get("host") == host
    if held and (here or silence(record) < STALE):
        return True
    if held is False and record.get("locked") and here:
        return False
    return None


def silent(records: Iterable[Path]) -> set[Path]:
    """Those whose heartbeat has not changed in ``STALE`` seconds of this process's own clock.

    It takes so long only if there are any; all are watched together.
    """
    before = {path: heartbeat(path) for path in records}
    quiet = set(before)
    deadline = time.monotonic() + STALE
    while quiet and time.monotonic() < deadline:
        time.sleep(BEAT / 4)
        quiet = {path for path in quiet if heartbeat(path) == before[path]}
    return quiet


def heartbeat(record: Path) -> Any:
    """What changes from one beat to the next."""
    fields = read_page(record) or {}
    return fields.get("beat"), fields.get("state"), fields.get("attempt")


def advice(record: dict[str, Any], lock: Path) -> str:
    """What to do about a lock that may be that of a dead machine."""
    since = duration(max(STALE, silence(record)))  # at least as long as it was watched
    return (
        f"no sign of life for {since}; if {record.get('host')} is down, remove {lock} and repeat "
        "the command"
    )


def duration(seconds: float) -> str:
    """In words a person would use.

    >>> duration(42), duration(600), duration(9000)
    ('42 s', '10 min', '2.5 h')
    """
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def silence(record: dict[str, Any]) -> float:
    """Seconds since the last heartbeat in a run's record, as far as its clock is ours."""
    return time.time() - float(record.get("beat", 0.0))
