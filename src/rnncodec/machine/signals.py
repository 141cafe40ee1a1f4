"""Ctrl-C and SIGTERM: workers leave Ctrl-C to their parent, and a run ends as it should."""

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn


class Terminated(SystemExit):
    """SIGTERM has come: what it ends has not failed and can be resumed."""

    def __init__(self) -> None:
        super().__init__(128 + signal.SIGTERM)  # the status that a shell reports

    def __str__(self) -> str:
        return "told to end (SIGTERM)"


@contextmanager
def ended_by_sigterm() -> Iterator[None]:
    """Have SIGTERM end the block as Ctrl-C does, by an exception at the place where it comes.

    While the block ends already, by a signal or by ``sys.exit``, none is heard: what that writes
    down is not to be cut short, and Slurm sends more than one.
    """

    def handle(number: int, frame: FrameType | None) -> None:
        if not isinstance(sys.exception(), SystemExit | KeyboardInterrupt):
            raise Terminated

    if threading.current_thread() is not threading.main_thread():
        yield  # Python hands signals to the main thread alone
        return
    before = signal.signal(signal.SIGTERM, handle)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@contextmanager
def sigint_blocked() -> Iterator[None]:
    """Hold Ctrl-C back for the length of the block; processes started in it never hear it.

    A worker can ignore the signal itself only once it runs our code: while it still imports, an
    interrupt would end it with a traceback. It inherits what its parent blocks. The parent gets
    an interrupt that came meanwhile when the block ends.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def end_by(number: signal.Signals) -> NoReturn:
    """End the process by a signal, so that whoever started it knows; without a traceback."""
    sys.stdout.flush()
    signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)
    raise SystemExit(128 + number)  # where the signal is blocked
