"""Runs an evaluation: side by side in processes, resuming where an earlier run stopped."""

import multiprocessing
import os
import signal
import threading
from collections import defaultdict
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing.synchronize import Event
from typing import TypeAlias

import torch
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from rnncodec.errors import ConfigError, DataError
from rnncodec.evaluation.evaluate_image import Entry, EvaluationSpec, known, measure_image
from rnncodec.evaluation.results import Result
from rnncodec.machine.signals import sigint_blocked

Entries: TypeAlias = dict[tuple[str, str], Entry]
"""(codec, image) -> what was measured."""


@dataclass(frozen=True)
class Unit:
    """What one process does in one go: some codecs on one image, all by their positions."""

    image: int
    codecs: tuple[int, ...]


@dataclass(frozen=True)
class EvaluationResult:
    """What an evaluation found.

    Attributes:
        results: the table, by codec, then image, then setting.
        peak_memory: by codec, the most bytes a process held while coding; None where unknown.
        found: how many pairs of codec and image an earlier run had measured.
    """

    results: list[Result]
    peak_memory: dict[str, int | None]
    found: int


def run(study: EvaluationSpec, *, workers: int = 1, progress: bool = True) -> EvaluationResult:
    """Measure what is not known yet.

    Args:
        study: codecs, images and folder.
        workers: processes of one thread each; 0 and 1 stay in this process, with its threads.
        progress: show a progress bar on stderr.

    Raises:
        DataError: no images; not one image could be coded.
        ConfigError: fewer than none; one was killed.
        StorageError: something could not be written.
        ModelError: a model's weights cannot be loaded.
    """
    if workers < 0:
        raise ConfigError(f"workers={workers}: expected at least 0")
    if not study.images:
        raise DataError("evaluation: expected at least one image, got none; check the eval folder")
    entries, units = plan(study)
    found = len(entries)
    with progress_bar(disable=not progress) as bar:
        total = len(study.images) * len(study.codecs)
        task = bar.add_task("evaluating", total=total, completed=found)
        source = in_processes if workers > 1 and units else in_this_process
        for pair, entry in source(study, units, workers):
            entries[pair] = entry
            bar.advance(task)
    return collect(study, entries, found)


def plan(study: EvaluationSpec) -> tuple[Entries, list[Unit]]:
    """What is known already, and what is to do.

    A model's work on an image is one unit. The formats whose files are not stored are another
    one, all together: some of them share their pictures, which are then measured once.
    """
    entries: Entries = {}
    units = []
    for number, image in enumerate(study.images):
        groups: dict[int, list[int]] = defaultdict(list)
        for k, codec in enumerate(study.codecs):
            entry = known(study, image, codec)
            if entry is None:
                groups[-1 if codec.suffix is None else k].append(k)
            else:
                entries[codec.name, image.name] = entry
        units += [Unit(number, tuple(group)) for group in groups.values()]
    return entries, units


def collect(study: EvaluationSpec, entries: Entries, found: int) -> EvaluationResult:
    """The table of everything; DataError if there is nothing in it but failures."""
    results: list[Result] = []
    memory: dict[str, int | None] = {}
    for codec in study.codecs:
        own = [entries[codec.name, image.name] for image in study.images]
        results += [result for entry in own for result in entry.results]
        peaks = [entry.peak_memory for entry in own if entry.peak_memory is not None]
        memory[codec.name] = max(peaks, default=None)
    if all(result.bytes is None for result in results):
        raise DataError(
            f"none of the {len(study.images)} images could be coded by any codec; the first: "
            f"{results[0].image}: {results[0].reason}"
        )
    return EvaluationResult(results, memory, found)


def in_this_process(
    study: EvaluationSpec, units: Sequence[Unit], _: int
) -> Iterator[tuple[tuple[str, str], Entry]]:
    """The units one after the other."""
    for unit in units:
        image = study.images[unit.image]
        codecs = [study.codecs[k] for k in unit.codecs]
        for name, entry in measure_image(study, image, codecs):
            yield (name, image.name), entry


def in_processes(
    study: EvaluationSpec, units: Sequence[Unit], workers: int
) -> Iterator[tuple[tuple[str, str], Entry]]:
    """The units in worker processes, in the order in which they get done."""
    context = multiprocessing.get_context("spawn")  # a fork would copy torch's threads, broken
    stop = context.Event()
    pool = ProcessPoolExecutor(
        min(workers, max(1, len(units))),
        mp_context=context,
        initializer=Worker.start,
        initargs=(study, stop),
    )
    try:
        with sigint_blocked():
            futures = [pool.submit(Worker.work, unit) for unit in units]
        for future in as_completed(futures):
            yield from future.result()
    except BrokenProcessPool as error:
        raise ConfigError(
            f"workers={workers}: a worker process was killed, most likely for want of memory; "
            "what was measured is kept: repeat the command with --workers 1"
        ) from error
    finally:
        stop.set()
        pool.shutdown(cancel_futures=True)


class Worker:
    """What a worker process holds; models stay loaded from one unit to the next."""

    study: EvaluationSpec
    stop: Event

    @classmethod
    def start(cls, study: EvaluationSpec, stop: Event) -> None:
        """Called once in each new process."""
        cls.study, cls.stop = study, stop
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches all; the parent says stop
        torch.set_num_threads(1)
        threading.Thread(target=end_with_parent, daemon=True).start()

    @classmethod
    def work(cls, unit: Unit) -> list[tuple[tuple[str, str], Entry]]:
        """Do one unit."""
        image = cls.study.images[unit.image]
        codecs = [cls.study.codecs[k] for k in unit.codecs]
        done = measure_image(cls.study, image, codecs, cls.stop.is_set)
        return [((name, image.name), entry) for name, entry in done]


def end_with_parent() -> None:
    """Wait for the parent to end, and end too: one that is killed says no goodbye."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)


def progress_bar(*, disable: bool) -> Progress:
    """Codings done (a codec on an image each), time so far and time left."""
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("codings,"),
        TimeElapsedColumn(),
        TextColumn("so far, left:"),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        disable=disable,
        speed_estimate_period=600,  # models take far longer than formats: average over both
    )
