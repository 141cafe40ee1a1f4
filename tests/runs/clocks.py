"""Clocks of made-up machines: waiting takes no time, and others go on meanwhile."""

from collections.abc import Callable


class Clock:
    """Stands for the module ``time``.

    Args:
        wall: what the clock on the wall says.
        meanwhile: what other machines do in each pause, told how many seconds have passed.
    """

    def __init__(
        self, wall: float = 1e9, meanwhile: Callable[[float], None] = lambda passed: None
    ) -> None:
        self.wall = wall
        self.passed = 0.0
        self.meanwhile = meanwhile

    def time(self) -> float:
        return self.wall + self.passed

    def monotonic(self) -> float:
        return self.passed

    def sleep(self, seconds: float) -> None:
        self.passed += seconds
        self.meanwhile(self.passed)
