"""Published rate-distortion curves, to draw beside ours."""

import csv
import math
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

from rnncodec.errors import DataError
from rnncodec.machine.names import printable

COLUMNS = ["codec", "metric", "bpp", "value"]


def read_published(path: Path) -> dict[str, dict[str, list[tuple[float, float]]]]:
    """Read ``codec,metric,bpp,value`` rows: codec -> metric -> (bpp, value), sorted by bpp.

    Raises:
        DataError: no such file, no text, other columns, a cell that is no number (the line is
            named).
    """
    if not path.is_file():
        raise DataError(f"{path}: no such file of published curves; expected a CSV")
    curves: dict[str, dict[str, list[tuple[float, float]]]] = {}
    try:
        with path.open(encoding="utf-8", newline="") as file:
            for codec, metric, sample in rows(file, path):
                curves.setdefault(codec, {}).setdefault(metric, []).append(sample)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path}: cannot be read as CSV: {error}") from error
    return {
        codec: {metric: sorted(samples) for metric, samples in by_metric.items()}
        for codec, by_metric in curves.items()
    }


def rows(file: TextIO, path: Path) -> Iterator[tuple[str, str, tuple[float, float]]]:
    """The rows under the header; DataError if it or one of them is another."""
    reader = csv.reader(file)
    header = next(reader, [])
    if header != COLUMNS:
        raise DataError(
            f"{path}: expected the columns {','.join(COLUMNS)}, got {','.join(header)}"
        )
    for row in reader:
        yield parse_row(row, f"{path}, line {reader.line_num}")


def parse_row(row: list[str], where: str) -> tuple[str, str, tuple[float, float]]:
    """One row as codec, metric and (bpp, value).

    Raises:
        DataError: it is none.
    """
    try:
        codec, metric, bpp, value = row
        sample = float(bpp), float(value)
    except ValueError as error:
        raise DataError(f"{where}: expected codec,metric,bpp,value, got {row}: {error}") from error
    if not (math.isfinite(sample[0]) and math.isfinite(sample[1])):
        raise DataError(f"{where}: bpp and value must be finite, got {row}")
    return printable(codec), printable(metric), sample
