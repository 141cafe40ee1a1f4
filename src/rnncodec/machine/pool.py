"""Worker processes that end with their parent: results in order of the tasks, or as they come."""

import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from itertools import islice
from multiprocessing.synchronize import Event
from typing import Any, Generic, TypeVar

from rnncodec.errors import ConfigError
from rnncodec.machine import processors
from rnncodec.machine.signals import sigint_blocked

T = TypeVar("T")
R = TypeVar("R")


class ProcessPool(Generic[T, R]):
    """Processes that all do one kind of work, none at all if `workers` is 0.

    They are spawned: a fork would copy the locks that the parent's threads hold, torch's among
    them. Ctrl-C is left to the parent, and when it ends, however that happens, they end too.

    Args:
        work: the result of a task; pickled to each process once, when it starts, so that it may
            hold what is loaded once (a model, an open data set). An exception ends the iteration.
        workers: how many; None: one a processor that this process may use.
        chunk: tasks handed over at a time, where a single one is little work.
        crashed: the result of a task that killed the process that worked on it (a decoder's
            crash, the kernel short of memory), and killed another one, alone, in a second
            attempt. Without it such a task is an error.
    """

    def __init__(
        self,
        work: Callable[[T], R],
        workers: int | None,
        *,
        chunk: int = 1,
        crashed: Callable[[T], R] | None = None,
    ) -> None:
        self.work = work
        self.workers = worker_count(workers)
        self.chunk = chunk
        self.crashed = crashed
        self._context = multiprocessing.get_context("spawn")
        self._stop = self._context.Event()
        self._executor = self._open() if self.workers else None

    def __enter__(self) -> "ProcessPool[T, R]":
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        if self._executor is not None:
            self._executor.shutdown(cancel_futures=True)

    def ordered(self, tasks: Iterable[T]) -> Iterator[R]:
        """The results in the order of the tasks, of which few are taken ahead.

        Raises:
            ConfigError: a process was killed, and `crashed` is not given.
        """
        stream = iter(tasks)
        if self._executor is None:
            yield from map(self.work, stream)
            return
        waiting: deque[tuple[list[T], Future[list[R]]]] = deque()
        while batch := list(islice(stream, self.chunk)):
            waiting.append((batch, self._submit(batch)))
            if len(waiting) > 2 * self.workers:
                yield from self._first(waiting)
        while waiting:
            yield from self._first(waiting)

    def completed(self, tasks: Iterable[T]) -> Iterator[R]:
        """The results in the order in which they are ready; all tasks are taken at once.

        Raises:
            ConfigError: a process was killed.
        """
        if self._executor is None:
            yield from map(self.work, tasks)
            return
        for future in as_completed([self._submit([task]) for task in tasks]):
            try:
                yield from future.result()
            except BrokenProcessPool as error:
                raise self._killed() from error

    def _first(self, waiting: deque[tuple[list[T], Future[list[R]]]]) -> list[R]:
        batch, future = waiting.popleft()
        try:
            return future.result()
        except BrokenProcessPool as error:
            if self.crashed is None:
                raise self._killed() from error
            self._reopen()
        results = [self._alone(task, self.crashed) for task in batch]
        for place, (later, _) in enumerate(waiting):
            waiting[place] = later, self._submit(later)
        return results

    def _alone(self, task: T, crashed: Callable[[T], R]) -> R:
        try:
            return self._submit([task]).result()[0]
        except BrokenProcessPool:
            self._reopen()
            return crashed(task)

    def _submit(self, batch: list[T]) -> Future[list[R]]:
        assert self._executor is not None
        try:
            with sigint_blocked():  # it may start a process
                return self._executor.submit(_run, batch)
        except BrokenProcessPool as error:  # by an earlier batch, whose result says so
            failed: Future[list[R]] = Future()
            failed.set_exception(error)
            return failed

    def _reopen(self) -> None:
        assert self._executor is not None
        self._executor.shutdown(cancel_futures=True)
        self._executor = self._open()

    def _open(self) -> ProcessPoolExecutor:
        return ProcessPoolExecutor(
            self.workers, self._context, initializer=_start, initargs=(self.work, self._stop)
        )

    def _killed(self) -> ConfigError:
        return ConfigError(
            f"workers={self.workers}: a worker process was killed, most likely for want of "
            "memory; what was finished is kept: repeat the command with --workers 1"
        )


def worker_count(asked: int | None) -> int:
    """How many processes to use: as many as asked for; None: one a processor of this process.

    Raises:
        ConfigError: fewer than none.
    """
    if asked is not None and asked < 0:
        raise ConfigError(f"workers={asked}: expected at least 0")
    return processors.available() if asked is None else asked


def is_worker() -> bool:
    """Whether this is a process of a pool."""
    return bool(_own)


def is_stopping() -> bool:
    """Whether the pool of this process is being closed: long work asks now and then, and ends."""
    return bool(_own) and _own[0][1].is_set()


_own: list[tuple[Callable[[Any], Any], Event]] = []
"""The work of this process, from its start on: one at most."""


def _start(work: Callable[[Any], Any], stop: Event) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    _own.append((work, stop))


def _run(batch: list[Any]) -> list[Any]:
    return [_own[0][0](task) for task in batch]


def _end_with_parent() -> None:
    # a pool's process waits forever for tasks if its parent was killed
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)
