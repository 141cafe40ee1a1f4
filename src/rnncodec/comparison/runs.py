"""Finds training runs under folders and reads what a comparison needs of each."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rnncodec.errors import DataError, RNNCodecError
from rnncodec.evaluation.results import Result, read_results
from rnncodec.evaluation.summary import read_summary
from rnncodec.machine.storage import printable
from rnncodec.models.model_description import (
    not_finite_in,
    parameter_counts,
    part_name,
    read_description,
    score_metric,
)
from rnncodec.runs import run_settings
from rnncodec.runs.run_directory import MARKS, RunFiles, run_folders

COLUMNS = ("cell", "recon", "entropy", "seed")
"""Settings with columns of their own; what further settings a part has is none of them."""

NOT_SETTINGS = (
    *(*run_settings.ONLY_HOW, *run_settings.DERIVED),
    *("name", "codec", "logger", "eval"),  # no influence on what is learnt, or given by others
)
"""Prefixes."""


@dataclass(frozen=True)
class Run:
    """One trained and evaluated codec.

    Attributes:
        name: its folder, relative to the one that was searched.
        cell, recon, entropy: names of its parts; ``none`` where codes are stored as they are.
        settings: all others that may change what is learnt, by dotted name.
        parameters: weights of the network.
        score: the selection score, if the model file has one; of ``metric`` in ``SCORE_METRICS``.
        gain: the share of bits that entropy coding saved; None without entropy model.
    """

    name: str
    cell: str
    recon: str
    entropy: str
    seed: int | None
    settings: Mapping[str, str]
    parameters: int
    score: float | None
    gain: float | None
    results: tuple[Result, ...]
    metric: str | None = None

    @property
    def images(self) -> frozenset[str]:
        """The images it was measured on."""
        return frozenset(result.image for result in self.results)


@dataclass(frozen=True)
class Unfinished:
    """A run that cannot be compared yet, and what it lacks."""

    name: str
    missing: str


def find_runs(folders: Sequence[Path]) -> tuple[list[Run], list[Unfinished]]:
    """All runs at or under the folders, finished or not, by name.

    DataError: a folder is missing, or there is no run in any.
    """
    found: dict[Path, str] = {}
    for folder in folders:
        if not folder.is_dir():
            raise DataError(f"{folder}: no such folder; expected a run's or a sweep's")
        for run in run_folders(folder):
            short = run.resolve().name if run == folder else run.relative_to(folder).as_posix()
            taken = short in found.values()
            found.setdefault(run.resolve(), str(run.resolve()) if taken else short)
    if not found:
        raise DataError(
            f"{', '.join(map(str, folders))}: no run here; expected folders with "
            f"{' or '.join(MARKS)}"
        )
    runs: list[Run] = []
    unfinished: list[Unfinished] = []
    for path, name in sorted(found.items(), key=lambda item: item[1]):
        try:
            runs.append(read_run(path, name))
        except RNNCodecError as error:
            unfinished.append(Unfinished(printable(name), printable(str(error))))
    return runs, unfinished


def read_run(folder: Path, name: str) -> Run:
    """A finished run; an RNNCodecError says what one lacks, or what is damaged or diverged."""
    files = RunFiles(folder)
    table = files.evaluation / "results.csv"
    if not files.model.exists():
        if files.codec.exists():
            raise DataError("the codec is trained, its entropy model is not")
        going = "there is a checkpoint to resume from" if files.last.exists() else "no checkpoint"
        raise DataError(f"training is not finished ({going})")
    if not files.summary.exists():
        raise DataError("trained, but not evaluated")
    if not table.exists():
        raise DataError(
            "evaluated without a results.csv: remove evaluation/summary.json and repeat the run"
        )
    description = read_description(files.model)
    notes = description["notes"]
    score = notes.get("score")
    bad = not_finite_in(files.model)
    if bad or (isinstance(score, float) and math.isnan(score)):  # black pictures may score well
        found = f"{bad[0]} is not finite" if bad else f"selection score {score}"
        raise DataError(
            f"the training diverged ({found}); train it again with a lower learning rate"
        )
    seed, settings = seed_and_settings(notes)
    if description["entropy"] is None:
        settings = {k: v for k, v in settings.items() if not k.startswith("entropy_fit")}
    results = tuple(read_results(table))
    if not results:
        raise DataError(f"{table}: no rows")
    if len(codecs := sorted({result.codec for result in results})) > 1:
        raise DataError(
            f"{table}: expected the run's model alone, got {', '.join(codecs)}; remove "
            "evaluation/ and repeat the run"
        )
    finite = isinstance(score, int | float) and math.isfinite(score)
    return Run(
        printable(name),
        part_name(description["network"].get("cell")) or "none",
        part_name(description["network"].get("recon")) or "none",
        part_name(description["entropy"]) or "none",
        seed,
        settings,
        parameter_counts(files.model).get("network", 0),
        float(score) if finite else None,
        entropy_gain(files.summary),
        results,
        score_metric(notes),
    )


def seed_and_settings(notes: dict[str, Any]) -> tuple[int | None, dict[str, str]]:
    """The seed (of the entropy model's training, where it had one), and what else may matter.

    The entropy model's data stand there as ``entropy.data``, where they were not its codec's.
    """
    codec, own = run_settings.settings_in_notes(notes)
    merged = run_settings.versioned(codec | own, codec.get(run_settings.PLUGINS))
    seed = merged.get("seed")
    if "data" in codec and "data" in own:
        before = dict(run_settings.leaves({"data": codec["data"]}))
        others = {key: merged.pop(key) for key in list(merged) if key.startswith("data")}
        different = {k: v for k, v in others.items() if matters(k) and before.get(k) != v}
        merged |= before | {f"entropy.{key}": value for key, value in different.items()}
    found = {key: str(value) for key, value in merged.items() if matters(key)}
    return (seed if isinstance(seed, int) else None), found


def entropy_gain(summary: Path) -> float | None:
    """The share of bits saved, from summary.json; None where there was no entropy model."""
    section = read_summary(summary).get("entropy")
    try:
        return None if section is None else float(section["gain_over_raw_bits"])
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(f"{summary}: damaged ({error!r}); remove it and repeat the run") from error


def matters(key: str) -> bool:
    """Whether a setting can explain a difference, and has no column of its own.

    Examples:
        >>> matters("optim.optimizer.lr"), matters("data.seed"), matters("cell.update_bias")
        (True, False, True)
    """
    return key not in COLUMNS and not key.startswith(NOT_SETTINGS)
