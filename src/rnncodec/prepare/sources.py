"""Where photographs come from: a folder, a list, WebDataset archives, a Hugging Face data set."""

import io
import json
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO, Protocol

from rnncodec.data.images import picture_extensions, walk
from rnncodec.errors import ConfigError, DataError
from rnncodec.prepare.listing import Entry, Item, sorted_lines

ARCHIVE = ".tar"
LISTS = (".txt", ".parquet")
HUGGING_FACE = "hf:"
_PATH_COLUMNS = ("path", "file", "filename", "file_name", "image_path")


class Source(Protocol):
    """Photographs that can be listed once, and opened one by one in any process."""

    def describe(self) -> dict[str, Any]:
        """What the manifest says of it: kind and name, but no path of this machine."""

    def place(self) -> str:
        """Where exactly it is, for this machine alone."""

    def folder(self) -> Path | None:
        """The folder that holds all of it, if there is one."""

    def items(self) -> Iterator[Item]:
        """What it consists of, always in the same order; quick, for no picture is read."""

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
        return HuggingFace(name or split, split if name else "train")
    path = Path(text).expanduser()
    if path.is_dir():
        return Files(path)
    if not path.exists():
        raise DataError(f"{text}: no such file or folder")
    if path.suffix == ARCHIVE:
        return Files(path.parent, path.name)
    if path.suffix in LISTS:
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
        if item.place.endswith(ARCHIVE):
            yield from members(self.root / item.place, item.place)
        else:
            yield Entry(item.place, item.place)

    def open(self, entry: Entry) -> Path | BinaryIO:
        """The file itself, or its bytes out of the archive."""
        path = self.root / entry.place
        if entry.offset < 0:
            return path
        try:
            with path.open("rb") as file:
                file.seek(entry.offset)
                return io.BytesIO(file.read(entry.size))
        except OSError as error:
            raise DataError(f"cannot read {entry.place}: {error.strerror}") from error

    def _item(self, place: str) -> Item:
        if not place.endswith(ARCHIVE):
            return Item(place)
        try:
            return Item(place, (self.root / place).stat().st_size)
        except OSError:  # what reads it will say so
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

    def items(self) -> Iterator[Item]:
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
        for line in sorted_lines(json.dumps(place) for place in places):
            yield self._item(json.loads(line))


@dataclass
class FileList(InFiles):
    """The files that a list names, in its order; relative to the list's folder.

    A text list has one path a line, a parquet list a column of them: path, file, filename,
    file_name or image_path, or its only one. Absolute paths below the list's folder are made
    relative.
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

    def items(self) -> Iterator[Item]:
        """In the list's order."""
        above = f"{self.root.absolute()}/"
        for place in _parquet(self.path) if self.path.suffix == ".parquet" else _text(self.path):
            yield self._item(place.removeprefix(above))


@dataclass
class HuggingFace:
    """A split of a data set of the Hugging Face hub, or of one that `save_to_disk` wrote."""

    name: str
    split: str
    _rows: Any = field(default=None, repr=False)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_rows": None}  # each process opens its own

    def describe(self) -> dict[str, Any]:
        """Name, split, and what the rows hold."""
        rows, _ = self.rows()
        name = Path(self.name).resolve().name if Path(self.name).exists() else self.name
        split = {"kind": "hugging face", "name": name, "split": self.split}
        return split | {"features": str(rows.features)}

    def place(self) -> str:
        """Its name on the hub, or its path."""
        return str(Path(self.name).resolve()) if Path(self.name).exists() else self.name

    def folder(self) -> Path | None:
        """None: the hub's files lie in a cache."""
        return None

    def items(self) -> Iterator[Item]:
        """One, as long as there are rows."""
        rows, _ = self.rows()
        yield Item(self.split, len(rows))

    def entries(self, item: Item) -> Iterator[Entry]:
        """By row."""
        for row in range(item.size):
            yield Entry(f"{row:09d}", "", row)

    def open(self, entry: Entry) -> Path | BinaryIO:
        """The encoded picture of the row."""
        rows, column = self.rows()
        cell = rows[entry.offset][column]
        if cell is None:
            raise DataError(f"row {entry.offset} has no picture")
        return Path(cell["path"]) if cell["bytes"] is None else io.BytesIO(cell["bytes"])

    def rows(self) -> tuple[Any, str]:
        """The rows, pictures not decoded, and the column that holds them.

        Raises:
            ConfigError: the `[prepare]` extra is missing; there is no column of pictures.
            DataError: no such data set or split.
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

    def _load(self) -> Any:
        datasets = _datasets()
        try:
            if (Path(self.name) / "state.json").is_file():
                return datasets.load_from_disk(self.name)
            return datasets.load_dataset(self.name, split=self.split)
        except (OSError, ValueError) as error:  # what `datasets` raises for wrong names
            raise DataError(f"{HUGGING_FACE}{self.name}@{self.split}: {error}") from error


def members(path: Path, place: str) -> Iterator[Entry]:
    """The pictures in a tar archive, and where their bytes are; no picture is read.

    An archive that is damaged, or ends before its end mark, is an entry with a problem after
    what can be read of it.
    """
    wanted = picture_extensions()
    try:
        # "r:" takes no compressed archive, whose members have no place
        with path.open("rb") as file, tarfile.open(fileobj=file, mode="r:") as archive:
            while (member := archive.next()) is not None:
                archive.members = []  # type: ignore[attr-defined]  # it would keep them all
                if member.isreg() and PurePosixPath(member.name).suffix.lower() in wanted:
                    name = f"{place}/{member.name}"
                    yield Entry(name, place, member.offset_data, member.size)
            file.seek(archive.offset)
            # tarfile takes a damaged header for the end
            if file.read(tarfile.BLOCKSIZE) != bytes(tarfile.BLOCKSIZE):
                raise tarfile.ReadError("no end mark after the last member that can be read")
            while rest := file.read(1 << 20):  # a hole in a file looks like its end
                if rest.count(0) != len(rest):
                    raise tarfile.ReadError("more follows after an end mark")
    except (tarfile.TarError, OSError, EOFError) as error:
        reason = getattr(error, "strerror", None) or error  # without a path of this machine
        yield Entry(place, place, problem=f"the archive cannot be read on: {reason}")


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


def _datasets() -> Any:
    try:
        import datasets
    except ModuleNotFoundError as error:
        raise ConfigError(
            "Hugging Face sources need `datasets`; run: pip install 'rnncodec[prepare]'"
        ) from error
    return datasets


def _pyarrow_parquet() -> Any:
    try:
        from pyarrow import parquet
    except ModuleNotFoundError as error:
        raise ConfigError(
            "parquet lists need pyarrow; run: pip install 'rnncodec[prepare]'"
        ) from error
    return parquet
