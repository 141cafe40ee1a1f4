"""`rnncodec status`: which runs are done, running, failed or waiting."""

import json
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from rnncodec.commands import options
from rnncodec.runs.sweep_status import (
    STATES,
    RunStatus,
    common_parts,
    duration,
    run_statuses,
    sweep_left,
)

COLOURS = {"done": "green", "running": "cyan", "failed": "red", "waiting": "dim"}


def status(
    folder: Annotated[
        Path, typer.Argument(metavar="DIR", help="A run, a sweep, or a folder of them.")
    ],
    as_json: options.Json = False,
) -> None:
    """Show how far runs are: while a sweep is running, after it, or of a single run.

    Repeating a sweep's command skips what is done, and resumes all the rest.
    """
    waiting = "watching the runs of other machines for a sign of life: a minute at most"
    with Console(stderr=True).status(waiting):
        runs = run_statuses(folder)
    if as_json:
        for run in runs:
            typer.echo(json.dumps(asdict(run)))
        return
    console = Console(soft_wrap=True, highlight=False)
    if not console.is_terminal:
        console.width = 240  # one line a run, for grep
    common, names = common_parts([run.name for run in runs])
    if common:
        console.print(Text(f"all: {', '.join(common)}"), style="dim")
    console.print(table(runs, names))
    for run in runs:
        if run.reason and run.state != "running":
            console.print(Text(f"{run.name}: {run.reason}"))
    counts = Counter(run.state for run in runs)
    summary = ", ".join(f"{counts[state]} {state}" for state in STATES if counts[state])
    if counts["done"] < len(runs):
        left = sweep_left(runs)
        known = "not known yet" if left is None else f"about {duration(left)}"
        summary += f"; time left: {known}"
    console.print(summary)


def table(runs: list[RunStatus], names: list[str]) -> Table:
    """One row per run, under the names that tell them apart."""
    shown = Table(box=None, pad_edge=False)
    for heading in ("run", "state", "phase"):
        shown.add_column(heading, overflow="fold")
    for heading in ("step", "of", "spent", "left", "attempt"):
        shown.add_column(heading, justify="right")
    for run, name in zip(runs, names, strict=True):
        numbers = (run.step, run.steps, run.attempt)
        step, steps, attempt = ("" if number is None else f"{number:,}" for number in numbers)
        spent, left = ("" if t is None else duration(t) for t in (run.seconds, run.left))
        state = Text(run.state, style=COLOURS[run.state])
        phase = (run.phase or "") if run.state != "done" else ""
        shown.add_row(Text(name), state, phase, step, steps, spent, left, attempt)
    return shown
