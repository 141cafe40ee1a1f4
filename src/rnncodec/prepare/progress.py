"""How far a run is, shown to people: images a second, time left, what was rejected."""

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta

from rich.console import Console

from rnncodec.machine.progress import progress_bar

EVERY = 30.0
"""Seconds between two lines where there is no terminal (a log file of Slurm)."""

_REFRESH = 0.2  # seconds, on a terminal


@dataclass
class Progress:
    """How far a run is: images in all, done, and what came of them.

    It is reported first while a long source is listed, next before the first image is done.

    Attributes:
        images: how many there are in this part.
        resumed: how many were done before this process.
        done: how many are done by now.
        tiles: how many are written or waiting to be.
        rejected: how many by kind.
        listed: while the source is listed, how many files or images were found so far.
    """

    images: int
    resumed: int = 0
    done: int = 0
    tiles: int = 0
    rejected: Counter[str] = field(default_factory=Counter)
    listed: int | None = None

    def describe(self, seconds: float, *, time_left: bool = True) -> str:
        """Throughput, time left and rejects in one line, after so many seconds of work.

        >>> Progress(100, resumed=10, done=30, tiles=2000).describe(4.0)
        '2,000 tiles, 5.0 images/s, 0:00:14 left'
        """
        if self.listed is not None:
            return f"listing the source: {self.listed:,} found"
        rate = (self.done - self.resumed) / seconds if seconds > 0 else 0.0
        parts = [f"{self.tiles:,} tiles", f"{rate:.1f} images/s"]
        if time_left and rate > 0 and self.done < self.images:
            parts.append(f"{timedelta(seconds=round((self.images - self.done) / rate))} left")
        if self.rejected:
            kinds = ", ".join(f"{count:,} {kind}" for kind, count in sorted(self.rejected.items()))
            parts.append(f"{self.rejected.total():,} rejected ({kinds})")
        return ", ".join(parts)


OnProgress = Callable[[Progress], None]


class ProgressBar:
    """A bar on a terminal, elsewhere a line every `EVERY` seconds and one at the end."""

    def __init__(self, console: Console | None = None) -> None:
        self.console = console or Console(stderr=True)
        self.bar = progress_bar(console=self.console)
        self.task = self.bar.add_task("starting", total=None)
        self.last = time.monotonic()
        self.start: float | None = None
        self.progress: Progress | None = None

    def __enter__(self) -> "ProgressBar":
        self.bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.bar.stop()
        if self.progress is not None and self.progress.listed is None:
            self._print_line(self.progress)

    def update(self, progress: Progress) -> None:
        """Show how far a run is, if it is time to."""
        self.progress = progress
        now = time.monotonic()
        if self.start is None and progress.listed is None:
            self.start = now  # listing, and replaying what is done, are no work on images
        if now - self.last < (_REFRESH if self.console.is_terminal else EVERY):
            return
        self.last = now
        if self.console.is_terminal:
            total = progress.images or None
            text = progress.describe(self._seconds(), time_left=False)  # the bar has it
            self.bar.update(self.task, completed=progress.done, total=total, description=text)
        else:
            self._print_line(progress)

    def _print_line(self, progress: Progress) -> None:
        line = progress.describe(self._seconds())
        if progress.listed is None:
            line = f"{progress.done:,} of {progress.images:,} images, {line}"
        self.console.print(line, soft_wrap=True, highlight=False, markup=False)

    def _seconds(self) -> float:
        return 0.0 if self.start is None else time.monotonic() - self.start
