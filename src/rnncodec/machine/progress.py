"""The progress bar of all commands: on stderr, where that is a terminal."""

from collections.abc import Iterable, Iterator
from typing import TypeVar

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

T = TypeVar("T")


def progress_bar(*, console: Console | None = None, hidden: bool = False) -> Progress:
    """A bar with text, count, time so far and time left, which goes away at its end.

    Args:
        console: where to draw, stderr by default; nothing is drawn where that is no terminal.
        hidden: draw nothing anywhere.
    """
    console = console or Console(stderr=True)
    return Progress(
        *(SpinnerColumn(), TextColumn("{task.description}", markup=False), BarColumn()),
        *(MofNCompleteColumn(), TimeElapsedColumn(), TextColumn("left:"), TimeRemainingColumn()),
        console=console,
        transient=True,
        redirect_stdout=False,  # it would send to the terminal what a pipe waits for
        redirect_stderr=False,
        disable=hidden or not console.is_terminal,
        speed_estimate_period=600,  # some steps take far longer than others: average over many
    )


def track(
    things: Iterable[T], text: str, *, total: int | None = None, hidden: bool = False
) -> Iterator[T]:
    """Pass things on while a bar shows how many are done; `total` where they have no length."""
    with progress_bar(hidden=hidden) as bar:
        yield from bar.track(things, total=total, description=text)
