"""Photographs in the rows of a Hugging Face data set."""

import io
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from rnncodec.errors import ConfigError, DataError
from rnncodec.prepare.listing import Entry, Item, OnCount, no_progress

HUGGING_FACE = "hf:"
_DEFAULT = "train"
# of Arrow (ArrowInvalid is a ValueError, ArrowIndexError a LookupError, ...), and of odd cells
_DAMAGED = (OSError, ValueError, LookupError, TypeError, RuntimeError)


@dataclass
class HuggingFace:
    """A split of a data set of the Hugging Face hub, or of one that `save_to_disk` wrote.

    Without a name of the split it is `train`, or the one that was written.
    """

    name: str
    split: str = ""
    _rows: Any = field(default=None, repr=False)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_rows": None}  # each process opens its own

    def describe(self) -> dict[str, Any]:
        """Name, split, and what the rows hold."""
        rows, _ = self.rows()
        name = Path(self.name).resolve().name if Path(self.name).exists() else self.name
        split = {"kind": "hugging face", "name": name, "split": self._split(rows)}
        return split | {"features": str(rows.features)}

    def place(self) -> str:
        """Its name on the hub, or its path."""
        return str(Path(self.name).resolve()) if Path(self.name).exists() else self.name

    def folder(self) -> Path | None:
        """None: the hub's files are in a cache."""
        return None

    def items(self, on_count: OnCount = no_progress) -> Iterator[Item]:
        """One, as long as there are rows."""
        rows, _ = self.rows()
        yield Item(self._split(rows), len(rows))

    def entries(self, item: Item) -> Iterator[Entry]:
        """By row."""
        for row in range(item.size):
            yield Entry(f"{row:09d}", "", row)

    def open(self, entry: Entry) -> Path | BinaryIO:
        """The encoded picture of the row.

        Raises:
            DataError: there is none, or the row is damaged.
        """
        rows, column = self.rows()
        try:
            cell = rows[entry.offset][column]
            if cell is None:
                raise DataError(f"row {entry.offset} has no picture")
            return Path(cell["path"]) if cell["bytes"] is None else io.BytesIO(cell["bytes"])
        except _DAMAGED as error:
            reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
            raise DataError(f"cannot read row {entry.offset}: {reason}") from error

    def rows(self) -> tuple[Any, str]:
        """The rows, pictures not decoded, and the column that holds them.

        Raises:
            ConfigError: the `[prepare]` extra is missing; there is no column of pictures.
            DataError: no such data set or split; it was written from another split.
        """
        if self._rows is None:
            rows = self._load()
            from datasets import Image

            columns = [name for name, kind in rows.features.items() if isinstance(kind, Image)]
            if not columns:
                raise ConfigError(
                    f"{self.name} has no column of pictures, only {', '.join(rows.features)}"
                )
            self._rows = rows.cast_column(columns[0], Image(decode=False)), columns[0]
        return self._rows  # type: ignore[no-any-return]

    def _split(self, rows: Any) -> str:
        return self.split or str(rows.split or _DEFAULT)

    def _load(self) -> Any:
        try:
            import datasets
        except ModuleNotFoundError as error:
            raise ConfigError(
                "Hugging Face sources need `datasets`; run: pip install 'rnncodec[prepare]'"
            ) from error
        split = self.split or _DEFAULT
        try:
            if not (Path(self.name) / "state.json").is_file():
                return datasets.load_dataset(self.name, split=split)
            rows = datasets.load_from_disk(self.name)
        except (OSError, ValueError) as error:  # what `datasets` raises for wrong names
            raise DataError(f"{HUGGING_FACE}{self.name}@{split}: {error}") from error
        own = str(rows.split or _DEFAULT)
        if self.split not in ("", own):
            raise DataError(
                f"{HUGGING_FACE}{self.name}@{split}: this folder holds one split, {own}; leave "
                f"out @{split}, or name another folder"
            )
        return rows
