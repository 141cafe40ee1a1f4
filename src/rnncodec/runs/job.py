"""The record of a run in its directory: state, heartbeat, reason of failure."""

import logging
import os
import socket
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Any

from rnncodec.errors import ConfigError, StorageError
from rnncodec.machine import locks
from rnncodec.machine.storage import read_page, write_page
from rnncodec.runs import sweep_status
from rnncodec.runs.run_directory import RunFiles

_log = logging.getLogger(__name__)


class Job:
    """Around a run: locks its directory, records its state, beats while it lives.

    The states are ``running``, ``done``, ``failed`` (with a reason) and ``stopped``: asked to
    end by a signal, and resumable. An attempt that is refused leaves the state of a run
    that has trained as it is.

    Args:
        files: of the run.
        check: raises where this attempt is to be refused; called when the directory is locked.

    Raises:
        ConfigError: on entering, another process runs it.
        StorageError: on entering, the directory cannot be written.
    """

    def __init__(self, files: RunFiles, check: Callable[[], None] = lambda: None) -> None:
        self.files = files
        self.check = check
        before = read_page(files.record) or {}
        self.seconds_before = float(before.get("seconds", 0.0))
        self.started, self.began = time.time(), time.monotonic()
        self.fields: dict[str, Any] = {
            "state": "running",
            "phase": None,
            "reason": None,
            "attempt": int(before.get("attempt", 0)) + 1,
            "host": socket.gethostname(),
            "pid": os.getpid(),
        }
        self.writing = threading.Lock()
        self.over = threading.Event()
        self.beating = threading.Thread(target=self._beat, name="heartbeat", daemon=True)
        self.lock: Any = None

    def __enter__(self) -> "Job":
        try:
            self.files.folder.mkdir(parents=True, exist_ok=True)
            self.lock = locks.take_lock(self.files.lock)
        except locks.Held:
            self._refuse_held()
        except OSError as error:
            raise StorageError(
                f"{self.files.folder}: cannot be written ({error.strerror or error}); free some "
                "space, see to its permissions, or choose another name="
            ) from error
        if self.lock is None or self._was_elsewhere():
            self._require_no_heartbeat()
        self.fields["locked"] = self.lock is not None
        try:
            self.check()
        except BaseException as error:
            if self.files.trained:  # what came of it matters more than this command
                self._unlock()
            else:
                self._end(error)
            raise
        self._write()
        self.beating.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.over.set()
        self.beating.join()
        self._end(error)

    def enter(self, phase: str) -> None:
        """A phase of the run starts; what was written of an earlier one's progress is past."""
        progress = read_page(self.files.progress) or {}
        self._write(phase=phase, past=progress.get("at"))

    def _end(self, error: BaseException | None) -> None:
        try:
            self._write(**outcome(error))
        except StorageError as trouble:
            _log.warning("%s", trouble)
        self._unlock()

    def _unlock(self) -> None:
        if self.lock is not None:
            self.lock.close()

    def _write(self, **changed: Any) -> None:
        with self.writing:
            self.fields |= changed
            times = {
                "started": self.started,
                "beat": time.time(),
                "seconds": self.seconds_before + time.monotonic() - self.began,
            }
            write_page(self.files.record, self.fields | times)

    def _beat(self) -> None:
        while not self.over.wait(sweep_status.BEAT):
            try:
                self._write()
            except StorageError as error:  # the run itself will meet it, too
                _log.warning("%s", error)

    def _was_elsewhere(self) -> bool:
        """Whether another machine ran it last: some file systems keep locks to each machine."""
        record = read_page(self.files.record) or {}
        return record.get("host") != socket.gethostname()

    def _require_no_heartbeat(self) -> None:
        record = read_page(self.files.record) or {}
        if record.get("state") != "running":
            return
        # by its heartbeat alone: to look at the lock would be to lose ours, which ends with any
        # close
        _log.info(
            "%s: its last attempt, on %s, did not record its end; watching for up to %s "
            "whether it is alive", self.files.folder, record.get("host"),
            sweep_status.duration(sweep_status.STALE),
        )  # fmt: skip
        if not sweep_status.silent([self.files.record]):
            self._refuse()

    def _refuse_held(self) -> None:
        record = read_page(self.files.record) or {}
        running = record.get("state") == "running"
        if running and self._was_elsewhere() and sweep_status.silent([self.files.record]):
            raise ConfigError(
                f"{self.files.folder}: locked by process {record.get('pid')} on "
                f"{record.get('host')}: {sweep_status.advice(record, self.files.lock)}"
            )
        self._refuse()

    def _refuse(self) -> None:
        self._unlock()
        record = read_page(self.files.record) or {}
        raise ConfigError(
            f"{self.files.folder}: process {record.get('pid')} on {record.get('host')} is running "
            "this already; wait for it (see rnncodec status), end it, or choose another name="
        )


def outcome(error: BaseException | None) -> dict[str, Any]:
    """State and reason that an exception, or none, leaves behind."""
    if error is None:
        return {"state": "done", "reason": None}
    text = " ".join(str(error).split())
    reason = f"{type(error).__name__}: {text}" if text else type(error).__name__
    stopped = isinstance(error, SystemExit | KeyboardInterrupt)  # signals end as these
    return {"state": "stopped" if stopped else "failed", "reason": reason}
