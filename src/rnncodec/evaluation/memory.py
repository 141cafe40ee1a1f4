"""The most memory this process holds while something is done (Linux; elsewhere unknown)."""

from collections.abc import Iterator
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")

RESET = Path("/proc/self/clear_refs")
STATUS = Path("/proc/self/status")


def reset_peak() -> bool:
    """Forget the highest resident memory so far; whether the system could."""
    try:
        RESET.write_text("5")
    except OSError:
        return False
    return True


def peak() -> int | None:
    """The most resident memory, in bytes, since :func:`reset_peak`; None where unknown."""
    try:
        lines = STATUS.read_text().splitlines()
    except OSError:
        return None
    found = [line.split()[1] for line in lines if line.startswith("VmHWM:")]
    return int(found[0]) * 1024 if found else None


class Watched(Iterator[T]):
    """Passes items on, and notes how much memory the process held while they were made.

    What their user does between two items does not count.

    Attributes:
        most: bytes; None where the system does not say.
    """

    def __init__(self, items: Iterator[T]) -> None:
        self.items = items
        self.most: int | None = None

    def __next__(self) -> T:
        known = reset_peak()
        try:
            return next(self.items)
        finally:
            found = peak()
            if known and found is not None:
                self.most = max(found, self.most or 0)
