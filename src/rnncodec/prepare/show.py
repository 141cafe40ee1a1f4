"""Progress of a run for people: images a second, time left, what was rejected."""

import time
from datetime import timedelta

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn

from rnncodec.prepare.progress import Progress as State

EVERY = 30.0
"""Seconds between two lines where there is no terminal (a log file of Slurm)."""

_REFRESH = 0.2


class Show:
    """A bar on a terminal, a line now and then elsewhere."""

    def __init__(self, console: Console | None = None) -> None:
        self.console = console or Console(stderr=True)
        self.bar = Progress(
            *(SpinnerColumn(), BarColumn(), MofNCompleteColumn()),
            TextColumn("{task.description}", markup=False),
            console=self.console,
            transient=True,
            disable=not self.console.is_terminal,
        )
        self.task = self.bar.add_task("starting", total=None)
        self.last = time.monotonic()
        self.start: float | None = None
        self.state: State | None = None

    def __enter__(self) -> "Show":
        self.bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.bar.stop()
        if self.state is not None and self.state.listed is None:
            self._line(self.state)

    def update(self, state: State) -> None:
        """Note how far a run is, and show it if it is time to."""
        self.state = state
        now = time.monotonic()
        if self.start is None and state.listed is None:
            self.start = now  # listing, and going through what is done, are no work on images
        every = _REFRESH if self.console.is_terminal else EVERY
        if now - self.last < every:
            return
        self.last = now
        if self.console.is_terminal:
            total, text = state.images or None, self._text(state)
            self.bar.update(self.task, completed=state.done, total=total, description=text)
        else:
            self._line(state)

    def _line(self, state: State) -> None:
        done = "" if state.listed is not None else f"{state.done:,} of {state.images:,} images, "
        line = done + self._text(state)
        self.console.print(line, soft_wrap=True, highlight=False, markup=False)

    def _text(self, state: State) -> str:
        if state.listed is not None:
            return f"listing the source: {state.listed:,} found"
        seconds = 0.0 if self.start is None else time.monotonic() - self.start
        return describe(state, seconds)


def describe(state: State, seconds: float) -> str:
    """Throughput, time left and rejects in one line.

    >>> describe(State(100, resumed=10, done=30, tiles=2000), 4.0)
    '2,000 tiles, 5.0 images/s, 0:00:14 left'
    """
    rate = (state.done - state.resumed) / seconds if seconds > 0 else 0.0
    parts = [f"{state.tiles:,} tiles", f"{rate:.1f} images/s"]
    if rate > 0 and state.done < state.images:
        left = timedelta(seconds=round((state.images - state.done) / rate))
        parts.append(f"{left} left")
    if rejected := sum(state.rejected.values()):
        kinds = ", ".join(f"{count:,} {kind}" for kind, count in sorted(state.rejected.items()))
        parts.append(f"{rejected:,} rejected ({kinds})")
    return ", ".join(parts)
