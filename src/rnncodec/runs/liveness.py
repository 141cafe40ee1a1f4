"""Whether a run is being run: a lock that the kernel takes back from the dead, and a heartbeat.

On one machine, and on most network file systems, the lock is the whole truth. Where a file system
has no locks, or keeps them to each machine, it decides whether the heartbeat changes.
"""

import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from rnncodec.machine.locks import is_locked
from rnncodec.machine.storage import read_page

BEAT = 10.0
"""Seconds between two heartbeats."""

STALE = 60.0
"""Seconds without a change after which a heartbeat is that of a dead process."""


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
