"""Worker processes leave Ctrl-C to their parent, from their first instruction on."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager


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
