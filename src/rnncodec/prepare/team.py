"""Processes that work on a stream of tasks: results in order, few in flight, crashes survived."""

import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from itertools import islice
from typing import Any, Generic, Protocol, TypeVar

from rnncodec.machine.signals import sigint_blocked

T = TypeVar("T")
T_contra = TypeVar("T_contra", contravariant=True)
R = TypeVar("R")

TOGETHER = 4
"""Tasks handed over at a time: enough that handing over costs nothing beside the work."""


class Work(Protocol[T_contra, R]):
    """What is done; pickled to each process once, when it starts."""

    def __call__(self, tasks: list[Any]) -> list[R]:
        """One result a task."""

    def crashed(self, task: T_contra) -> R:
        """The result of a task that ended the process that worked on it."""


class Team(Generic[T, R]):
    """So many processes for one kind of work; none at all if `workers` is 0.

    A process that is killed (a decoder's crash, the kernel short of memory) costs its task a
    second attempt, in a process without other tasks; if that fails too, its result is what
    `work.crashed` says.
    """

    def __init__(self, work: Work[T, R], workers: int) -> None:
        self.work = work
        self.workers = workers
        self._pool = self._open() if workers else None

    def __enter__(self) -> "Team[T, R]":
        return self

    def __exit__(self, *_: object) -> None:
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)

    def results(self, tasks: Iterable[T]) -> Iterator[R]:
        """The results, in the order of the tasks, however many processes there are."""
        stream = iter(tasks)
        if self._pool is None:
            for task in stream:
                yield from self.work([task])
            return
        waiting: deque[tuple[list[T], Future[list[R]]]] = deque()
        while batch := list(islice(stream, TOGETHER)):
            waiting.append((batch, self._submit(batch)))
            if len(waiting) > 2 * self.workers:
                yield from self._first(waiting)
        while waiting:
            yield from self._first(waiting)

    def _first(self, waiting: deque[tuple[list[T], Future[list[R]]]]) -> list[R]:
        batch, future = waiting.popleft()
        try:
            return future.result()
        except BrokenProcessPool:
            self._reopen()
        results = [self._alone(task) for task in batch]
        for place, (later, _) in enumerate(waiting):
            waiting[place] = later, self._submit(later)
        return results

    def _alone(self, task: T) -> R:
        try:
            return self._submit([task]).result()[0]
        except BrokenProcessPool:
            self._reopen()
            return self.work.crashed(task)

    def _submit(self, batch: list[T]) -> Future[list[R]]:
        assert self._pool is not None
        try:
            with sigint_blocked():  # it may start a process
                return self._pool.submit(_do, batch)
        except BrokenProcessPool as error:  # by an earlier batch, which will be told
            failed: Future[list[R]] = Future()
            failed.set_exception(error)
            return failed

    def _reopen(self) -> None:
        assert self._pool is not None
        self._pool.shutdown(cancel_futures=True)
        self._pool = self._open()

    def _open(self) -> ProcessPoolExecutor:
        # spawned: a fork would copy whatever locks the parent's threads hold
        context = multiprocessing.get_context("spawn")
        return ProcessPoolExecutor(self.workers, context, initializer=start, initargs=(self.work,))


_own: list[Work[Any, Any]] = []
"""The work of this process: one, from its start on. It may hold a data set, opened once."""


def start(work: Work[Any, Any]) -> None:
    """Begin a worker process: Ctrl-C is the parent's business, and its end is ours too."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    _own.append(work)


def _do(batch: list[Any]) -> list[Any]:
    return _own[0](batch)


def _end_with_parent() -> None:
    # a pool's process waits forever for tasks if its parent was killed
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)
