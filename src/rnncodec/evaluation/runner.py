"""Runs an evaluation: side by side in processes, resuming where an earlier run stopped."""

from collections import defaultdict
from dataclasses import dataclass
from typing import TypeAlias

import torch

from rnncodec.errors import DataError
from rnncodec.evaluation.evaluate_image import Entry, EvaluationSpec, known, measure_image
from rnncodec.evaluation.results import Result
from rnncodec.machine.pool import ProcessPool, is_stopping, is_worker, worker_count
from rnncodec.machine.progress import progress_bar

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
    workers = worker_count(workers)
    if not study.images:
        raise DataError("evaluation: expected at least one image, got none; check the eval folder")
    entries, units = plan(study)
    found = len(entries)
    processes = min(workers, len(units)) if workers > 1 else 0
    with progress_bar(hidden=not progress) as bar, ProcessPool(Work(study), processes) as pool:
        total = len(study.images) * len(study.codecs)
        task = bar.add_task("evaluating", total=total, completed=found)
        for done in pool.completed(units):
            entries |= done
            bar.advance(task, len(done))
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


@dataclass(frozen=True)
class Work:
    """Does a unit; models stay loaded from one unit to the next."""

    study: EvaluationSpec

    def __call__(self, unit: Unit) -> Entries:
        """What was measured."""
        if is_worker():
            torch.set_num_threads(1)
        image = self.study.images[unit.image]
        codecs = [self.study.codecs[k] for k in unit.codecs]
        done = measure_image(self.study, image, codecs, is_stopping)
        return {(name, image.name): entry for name, entry in done}
