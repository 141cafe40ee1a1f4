"""Where photographs come from: a folder, a list, WebDataset archives, a Hugging Face data set."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, Protocol

from rnncodec.errors import ConfigError, DataError
from rnncodec.images.reading import is_hidden, picture_extensions, walk
from rnncodec.prepare.archives import is_archive, members, read_member
from rnncodec.prepare.hugging_face import HUGGING_FACE, HuggingFace
from rnncodec.prepare.listing import Entry, Item, Tell, counted, silent, sorted_lines

ARCHIVE = ".tar"
LISTS = (".txt", ".parquet")
_PATH_COLUMNS = ("path", "file", "filename", "file_name", "image_path")


class Source(Protocol):
    """Photographs that can be listed once, and opened one by one in any process."""

    def describe(self) -> dict[str, Any]:
        """What the manifest says of it: kind and name, but no path of this machine."""

    def place(self) -> str:
        """Where exactly it is, for this machine alone."""

    def folder(self) -> Path | None:
        """The folder that holds all of it, if there is one."""

    def items(self, tell: Tell = silent) -> Iterator[Item]:
        """What it consists of, always in the same order; no picture is read.

        `tell` hears how many were found, where that takes long before the first one is known.
        """

    def entries(self, item: Item) -> Iterator[Entry]:
        """The images of an item."""

    def open(self, entry: Entry) -> Path | BinaryIO:
        """Where the bytes of an image can be read.

        Raises:
            DataError: nowhere.
        """


def find_source(text: str) -> Source:
    """A source from what the command line says.

    Raises:
        ConfigError: it is none; `hf:` without the `[prepare]` extra.
        DataError: there is no such file or folder.
    """
    if text.startswith(HUGGING_FACE):
        name, _, split = text.removeprefix(HUGGING_FACE).rpartition("@")
        return HuggingFace(name or split, split if name else "")
    path = Path(text).expanduser()
    if path.is_dir():
        return Files(path)
    if not path.exists():
        raise DataError(f"{text}: no such file or folder")
    if is_archive(path.name):
        return Files(path.parent, path.name)
    if path.suffix.lower() in LISTS:
        return FileList(path)
    raise ConfigError(
        f"{text}: expected a folder, a list ({' or '.join(LISTS)}), an archive ({ARCHIVE}, not "
        f"compressed), or {HUGGING_FACE}NAME or {HUGGING_FACE}NAME@SPLIT"
    )


class InFiles:
    """Photographs in files and tar archives below a folder."""

    root: Path

    def folder(self) -> Path | None:
        """The folder to which paths are relative."""
        return self.root

    def entries(self, item: Item) -> Iterator[Entry]:
        """The file, or the members of the archive in their order in it."""
        if is_archive(item.place):
            yield from members(self.root / item.place, item.place, self.root)
        else:
            yield Entry(item.place, item.place)

    def open(self, entry: Entry) -> Path | BinaryIO:
        """The file itself, or its bytes out of the archive."""
        path = self.root / entry.place
        return path if entry.offset < 0 else read_member(path, entry)

    def _item(self, place: str) -> Item:
        if not is_archive(place):
            return Item(place)
        try:
            return Item(place, (self.root / place).stat().st_size)
        except (OSError, ValueError):  # what reads it will say so
            return Item(place)


@dataclass
class Files(InFiles):
    """The pictures and the archives under a folder (or only one file in it), by path."""

    root: Path
    only: str = ""

    def describe(self) -> dict[str, Any]:
        """The folder's name, or the archive's."""
        if self.only:
            return {"kind": "archive", "name": self.only}
        return {"kind": "folder", "name": self.root.resolve().name}

    def place(self) -> str:
        """Its path."""
        return str((self.root / self.only).resolve())

    def items(self, tell: Tell = silent) -> Iterator[Item]:
        """Sorted by path."""
        wanted = picture_extensions() | {ARCHIVE}
        places: Iterator[str] = (
            path.relative_to(self.root).as_posix()
            for path in walk(self.root)
            if path.suffix.lower() in wanted
        )
        if self.only:
            places = iter([self.only])
        # JSON has no line ends in it, which names of files may have
        for line in sorted_lines(json.dumps(place) for place in counted(places, tell)):
            yield self._item(json.loads(line))


@dataclass
class FileList(InFiles):
    """The files that a list names, in its order; relative to the list's folder.

    A text list has one path a line, a parquet list a column of them: path, file, filename,
    file_name or image_path, or its only one. Absolute paths below the list's folder are made
    relative. Hidden files are passed over, as in folders; of a path that stays absolute only the
    file's own name can be hidden.
    """

    path: Path
    root: Path = field(init=False)

    def __post_init__(self) -> None:
        self.root = self.path.parent

    def describe(self) -> dict[str, Any]:
        """The list's name."""
        return {"kind": "list", "name": self.path.name}

    def place(self) -> str:
        """Its path."""
        return str(self.path.resolve())

    def items(self, tell: Tell = silent) -> Iterator[Item]:
        """In the list's order."""
        above = f"{self.root.absolute()}/"
        for place in (
            _parquet(self.path) if self.path.suffix.lower() == ".parquet" else _text(self.path)
        ):
            relative = place.removeprefix(above)
            if not is_hidden(Path(relative).name if Path(relative).is_absolute() else relative):
                yield self._item(relative)


def _text(path: Path) -> Iterator[str]:
    with path.open(encoding="utf-8", errors="surrogateescape") as file:
        yield from (line for line in map(str.strip, file) if line)


def _parquet(path: Path) -> Iterator[str]:
    parquet = _pyarrow_parquet()
    try:
        opened = parquet.ParquetFile(path)
    except (OSError, ValueError) as error:  # what pyarrow raises for other files
        raise DataError(f"{path} is no parquet file: {error}") from error
    with opened as file:
        names = file.schema_arrow.names
        known = [name for name in _PATH_COLUMNS if name in names] or names
        if known is names and len(names) != 1:
            raise ConfigError(
                f"{path} has the columns {', '.join(names)}; expected one of "
                f"{', '.join(_PATH_COLUMNS)}, or one column only"
            )
        for batch in file.iter_batches(columns=known[:1]):
            yield from (str(place) for place in batch.column(0).to_pylist() if place)


def _pyarrow_parquet() -> Any:
    try:
        from pyarrow import parquet
    except ModuleNotFoundError as error:
        raise ConfigError(
            "parquet lists need pyarrow; run: pip install 'rnncodec[prepare]'"
        ) from error
    return parquet
