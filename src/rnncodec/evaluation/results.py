"""The table of results, results.csv: a row per codec, setting and image, a column per metric."""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rnncodec.errors import DataError
from rnncodec.evaluation.metrics import USUAL
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
        values: quality of the decoded 8-bit picture by metric; one that is not defined (an image
            too small) is absent.
        encode_s, decode_s: seconds, of everything up to this iteration. A file is encoded as a
            whole: of its prefixes (earlier iterations) only decoding has a time.
        reason: why a value or the picture is missing; "" where nothing is.
    """

    codec: str
    setting: str
    image: str
    iteration: int | None
    bytes: int | None
    bpp: float | None
    values: Mapping[str, float]
    encode_s: float | None = None
    decode_s: float | None = None
    reason: str = ""

    def record(self) -> dict[str, Any]:
        """As flat as a row of the table: the metrics stand among the other columns."""
        values = {name: self.values.get(name) for name in (*USUAL, *sorted(self.values))}
        record = vars(self) | values
        return {name: record[name] for name in (*COLUMNS, *values)}

    @classmethod
    def of_record(cls, record: Mapping[str, Any]) -> "Result":
        """The inverse of :meth:`record`; what is none of our columns is a metric.

        Raises:
            ValueError: a cell that is no number.
            KeyError: a required column is missing.
        """
        cells = {**record, **record.get("more", {})}  # "more": in entries of earlier versions
        present = {name: cell for name, cell in cells.items() if cell not in (None, "")}
        numbers: dict[str, float] = {
            name: float(cell) for name, cell in present.items() if name not in (*TEXTS, "more")
        }
        whole = {name: int(present[name]) for name in WHOLE if name in present}
        return cls(
            cells["codec"],
            cells["setting"],
            cells["image"],
            whole.get("iteration"),
            whole.get("bytes"),
            numbers.get("bpp"),
            {name: number for name, number in numbers.items() if name not in NOT_METRICS},
            numbers.get("encode_s"),
            numbers.get("decode_s"),
            cells.get("reason", ""),
        )


TEXTS = ("codec", "setting", "image", "reason")
WHOLE = ("iteration", "bytes")
TIMES = ("encode_s", "decode_s")
REQUIRED = (*TEXTS[:3], *WHOLE, "bpp")
"""The columns without which a row says nothing. Others may be missing, as those of metrics and
times are that did not exist yet when a file was written."""
COLUMNS = (*REQUIRED, *USUAL, *TIMES, "reason")
"""The columns that every table has, in this order; further metrics come after them."""
NOT_METRICS = {*REQUIRED, *TIMES}


def write_results(path: Path, results: Sequence[Result]) -> None:
    """Write results.csv, atomically; numbers in full precision, further metrics last."""
    columns = [*COLUMNS, *sorted({name for row in results for name in row.values} - {*USUAL})]
    with (
        replacing(path) as temporary,
        temporary.open("w", encoding="utf-8", newline="") as file,
    ):
        writer = csv.DictWriter(file, columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(result.record() for result in results)


def read_results(path: Path) -> list[Result]:
    """Read results.csv, also one that lacks columns of later versions.

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
            return [Result.of_record(dict(zip(header, row, strict=True))) for row in reader]
        except (ValueError, csv.Error) as error:
            raise DataError(f"{path}, line {reader.line_num}: {error}") from error
