"""CSV tables: results.csv, a row per codec, setting and image; and curves of others."""

import csv
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import TextIO

from rnncodec.errors import DataError
from rnncodec.machine.names import printable
from rnncodec.machine.storage import replacing


@dataclass(frozen=True)
class Result:
    """One picture that a codec made of an image, or the reason why there is none.

    Attributes:
        codec: its name, as in the report: ``compact-0``, ``jpeg-420``.
        setting: what was asked of it: ``t=3`` (iterations), ``q=40``; "" where nothing could be.
        image: the file's name without its ending.
        iteration: of one of our models, from 1; None for the others.
        bytes: of the whole file, header included, or of the prefix that ends this iteration.
        bpp: ``8 bytes / (width height)``.
        psnr_rgb, ssim, ms_ssim, psnr_hvs, psnr_hvs_m: quality of the decoded 8-bit picture; None
            where it is not defined (an image too small) or the row has no picture.
        encode_s, decode_s: seconds, of everything up to this iteration. A file is encoded as a
            whole: of its prefixes (earlier iterations) only decoding has a time.
        reason: why quality or picture is missing; "" where nothing is.
        more: further metrics by name.
    """

    codec: str
    setting: str
    image: str
    iteration: int | None
    bytes: int | None
    bpp: float | None
    psnr_rgb: float | None
    ssim: float | None
    ms_ssim: float | None
    psnr_hvs: float | None
    psnr_hvs_m: float | None
    encode_s: float | None
    decode_s: float | None
    reason: str = ""
    more: dict[str, float | None] = field(default_factory=dict)


COLUMNS = [column.name for column in fields(Result) if column.name != "more"]
TEXTS = ("codec", "setting", "image", "reason")
WHOLE = ("iteration", "bytes")
REQUIRED = ("codec", "setting", "image", "iteration", "bytes", "bpp")
"""The columns without which a row says nothing. Others may be missing, as those of metrics and
times are that did not exist yet when a file was written."""


def write_results(path: Path, results: Sequence[Result]) -> None:
    """Write results.csv, atomically; numbers in full precision, further metrics as last columns.

    Raises:
        StorageError: it could not be written.
    """
    further = sorted({name for result in results for name in result.more})
    with (
        replacing(path) as temporary,
        temporary.open("w", encoding="utf-8", newline="") as file,
    ):
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow([*COLUMNS, *further])
        writer.writerows(
            [getattr(result, column) for column in COLUMNS]
            + [result.more.get(name) for name in further]
            for result in results
        )


def read_results(path: Path) -> list[Result]:
    """Read results.csv, also one that lacks columns of later versions: they are None.

    Raises:
        DataError: a required column is missing, or there twice; a cell that is no number, whose
            line it names.
    """
    with path.open(encoding="utf-8", newline="") as file:
        reader = csv.reader(file)
        try:
            header = next(reader, [])
            if not set(header).issuperset(REQUIRED) or len(set(header)) < len(header):
                raise DataError(
                    f"{path}: expected the columns {','.join(REQUIRED)} and metrics, each once, "
                    f"got {','.join(header)}"
                )
            return [parse_row(header, row) for row in reader]
        except (ValueError, csv.Error) as error:
            raise DataError(f"{path}, line {reader.line_num}: {error}") from error


def parse_row(header: list[str], row: Iterable[str]) -> Result:
    """One row of results.csv; ValueError if it is none."""
    cells = dict(zip(header, row, strict=True))
    known = {name: parse_cell(name, cells.pop(name, "")) for name in COLUMNS}
    more = {name: float(cell) if cell else None for name, cell in cells.items()}
    return Result(**known, more=more)  # type: ignore[arg-type]


def parse_cell(name: str, cell: str) -> str | int | float | None:
    """Text, whole number or number, as the column has it; an empty number is None."""
    if name in TEXTS:
        return cell
    if not cell:
        return None
    return int(cell) if name in WHOLE else float(cell)


POINT_COLUMNS = ["codec", "metric", "bpp", "value"]


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
    if header != POINT_COLUMNS:
        raise DataError(
            f"{path}: expected the columns {','.join(POINT_COLUMNS)}, got {','.join(header)}"
        )
    for row in reader:
        yield parse_point(row, f"{path}, line {reader.line_num}")


def parse_point(row: list[str], where: str) -> tuple[str, str, tuple[float, float]]:
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
