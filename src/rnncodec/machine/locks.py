"""The one kind of lock between processes: POSIX record locks, which end with their process.

``lockf`` and not ``flock``: NFS passes record locks to its server, while a mount may keep
``flock`` to each machine (``local_lock=flock``, and Linux before 2.6.12); Lustre has both or
neither, as it was mounted. And forked workers do not inherit them: a lock ends with the process
that took it, whatever that leaves behind.

Their price: they belong to the process. Its threads share them (but see :func:`exclusive`), and
it loses a lock as soon as it closes the file, however often that is opened.
"""

import errno
import math
import os
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import IO

if sys.platform != "win32":
    import fcntl

PATIENCE = 2.0
"""Seconds to wait for a lock: whoever looks at a run's state holds it for a moment."""

PAUSE = 0.05
"""Seconds between two tries."""


class Held(Exception):  # noqa: N818 - it is a state, not an error
    """Another process has the lock."""


def try_lock(file: IO[bytes], *, exclusive: bool) -> bool:
    """Take a lock at once; False where the file system has none.

    Raises:
        Held: another process has it.
    """
    if sys.platform == "win32":
        return False
    kind = fcntl.LOCK_EX if exclusive else fcntl.LOCK_SH
    try:
        fcntl.lockf(file, kind | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in (errno.EACCES, errno.EAGAIN):
            raise Held from error
        return False
    return True


def take_lock(path: Path, patience: float | None = None) -> IO[bytes] | None:
    """The open file that holds the lock until it is closed; None where there are no locks.

    Args:
        path: of the file, which is made if need be.
        patience: seconds to wait for it; None: :data:`PATIENCE`.

    Raises:
        Held: another process has it.
        OSError: the file cannot be made.
    """
    file = path.open("ab")
    deadline = time.monotonic() + (PATIENCE if patience is None else patience)
    while True:
        try:
            if not try_lock(file, exclusive=True):
                file.close()
                return None
        except Held:
            # by trying again: a lock that is waited for may seem a deadlock to the system, where
            # threads of one process wait for two
            if time.monotonic() > deadline:
                file.close()
                raise
            time.sleep(PAUSE)
        else:
            return file


def is_locked(path: Path) -> bool | None:
    """Whether another process has the lock; None where this user may not look at it.

    Not for a lock of this process, which would lose it.
    """
    try:
        with path.open("rb") as file:
            try_lock(file, exclusive=False)
    except FileNotFoundError:
        return False
    except PermissionError:
        return None
    except Held:
        return True
    return False


@contextmanager
def exclusive(path: Path, *, patience: float = math.inf) -> Iterator[None]:
    """Hold a lock during the block, against other processes and this one's other threads.

    Raises:
        Held: somebody else has it for longer than ``patience`` seconds.
        OSError: the file cannot be made, or the file system has no locks.
    """
    threads = between_threads(os.path.realpath(path), os.getpid())
    if not threads.acquire(timeout=min(patience, threading.TIMEOUT_MAX)):
        raise Held
    try:
        file = take_lock(path, patience)
        if file is None:
            raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK), str(path))
        with file:
            yield
    finally:
        threads.release()


@cache
def between_threads(path: str, process: int) -> threading.Lock:
    """The lock of a file between the threads of a process; a fork has one of its own."""
    return threading.Lock()
