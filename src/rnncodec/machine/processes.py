"""Ctrl-C: worker processes leave it to their parent, and a run ends as it should."""

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn


@contextmanager
def deaf_to_interrupts() -> Iterator[None]:
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


def end_as_interrupted() -> NoReturn:
    """End the process as Ctrl-C does, so that whoever started it knows; without a traceback."""
    sys.stdout.flush()
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    os.kill(os.getpid(), signal.SIGINT)
    raise KeyboardInterrupt  # where the signal is blocked
