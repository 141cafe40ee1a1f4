"""Where photographs come from: a folder, a list, WebDataset archives, a Hugging Face data set."""

import errno
import io
import json
import os
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO, Protocol

from rnncodec.errors import ConfigError, DataError
from rnncodec.images.reading import is_hidden, picture_extensions, walk
from rnncodec.prepare.hugging_face import HUGGING_FACE, HuggingFace
from rnncodec.prepare.listing import (
    Entry,
    Item,
    OnCount,
    counted,
    no_progress,
    sorted_lines,
)

ARCHIVE = ".tar"
LISTS = (".txt", ".parquet")
MOST_BYTES = 1 << 30
"""A larger member of an archive is not read: each worker holds one in memory."""

_PATH_COLUMNS = ("path", "file", "filename", "file_name", "image_path")
# ValueError: a null byte in a path of a list; OverflowError: a member's size beyond all files
_DAMAGED = (tarfile.TarError, OSError, EOFError, ValueError, OverflowError)
_STORAGE = frozenset(
    {
        *(errno.EIO, errno.ESTALE, errno.ENOTCONN, errno.ENODEV, errno.ENXIO, errno.EREMOTEIO),
        *(errno.ETIMEDOUT, errno.EHOSTDOWN, errno.EHOSTUNREACH, errno.ENETDOWN),
        *(errno.ENETUNREACH, errno.ECONNRESET, errno.ECONNABORTED, errno.ECONNREFUSED),
        *(errno.ESHUTDOWN, errno.EMFILE, errno.ENFILE),
    }
)
"""What the system says when a disk or a server fails, whatever is in the file."""


class Source(Protocol):
    """Photographs that can be listed once, and opened one by one in any process."""

    def describe(self) -> dict[str, Any]:
        """What the manifest says of it: kind and name, but no path of this machine."""

    def place(self) -> str:
        """Where exactly it is, for this machine alone."""

    def folder(self) -> Path | None:
        """The folder that holds all of it, if there is one."""

    def items(self, on_count: OnCount = no_progress) -> Iterator[Item]:
        """What it consists of, always in the same order; no picture is read.

        `on_count` is called with how many were found, where the first one takes long.
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

    def items(self, on_count: OnCount = no_progress) -> Iterator[Item]:
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
        for line in sorted_lines(json.dumps(place) for place in counted(places, on_count)):
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

    def items(self, on_count: OnCount = no_progress) -> Iterator[Item]:
        """In the list's order."""
        above = f"{self.root.absolute()}/"
        read = _parquet if self.path.suffix.lower() == ".parquet" else _text
        for place in read(self.path):
            relative = place.removeprefix(above)
            if not is_hidden(Path(relative).name if Path(relative).is_absolute() else relative):
                yield self._item(relative)


def _text(path: Path) -> Iterator[str]:
    with path.open(encoding="utf-8", errors="surrogateescape") as file:
        yield from (line for line in map(str.strip, file) if line)


def _parquet(path: Path) -> Iterator[str]:
    try:
        from pyarrow import parquet
    except ModuleNotFoundError as error:
        raise ConfigError(
            "parquet lists need pyarrow; run: pip install 'rnncodec[prepare]'"
        ) from error
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


def is_archive(place: str) -> bool:
    """Whether a path is that of an archive, by its extension in any case.

    >>> is_archive("photos/00001.TAR"), is_archive("photos/00001.tar.gz")
    (True, False)
    """
    return PurePosixPath(place).suffix.lower() == ".tar"


def members(path: Path, place: str, root: Path) -> Iterator[Entry]:
    """The pictures in a tar archive, and where their bytes are; no picture is read.

    Hidden members (`rnncodec.images.reading.is_hidden`) are passed over, as in folders. An
    archive that is damaged, or ends before its end mark, is an entry with a problem after what
    can be read of it.

    Raises:
        DataError: the storage failed, or the folder `root` of the source is gone.
    """
    wanted = picture_extensions()
    try:
        # "r:" takes no compressed archive, whose members have no place
        with path.open("rb") as file, tarfile.open(fileobj=file, mode="r:") as archive:
            while (member := archive.next()) is not None:
                archive.members = []  # type: ignore[attr-defined]  # it would store them all
                suffix = PurePosixPath(member.name).suffix.lower()
                if member.isreg() and suffix in wanted and not is_hidden(member.name):
                    name = f"{place}/{member.name}"
                    yield Entry(name, place, member.offset_data, member.size)
            file.seek(archive.offset)
            # tarfile takes a damaged header for the end
            if file.read(tarfile.BLOCKSIZE) != bytes(tarfile.BLOCKSIZE):
                raise tarfile.ReadError("no end mark after the last member that can be read")
            while rest := file.read(1 << 20):  # a hole in a file looks like its end
                if rest.count(0) != len(rest):
                    raise tarfile.ReadError("more follows after an end mark")
    except _DAMAGED as error:
        refuse_lost(error, root)
        reason = getattr(error, "strerror", None) or error  # without a path of this machine
        yield Entry(place, place, problem=f"the archive cannot be read on: {reason}")


def read_member(path: Path, entry: Entry) -> io.BytesIO:
    """The bytes of a member.

    Raises:
        DataError: they cannot be read, or are more than `MOST_BYTES`.
    """
    if entry.size > MOST_BYTES:
        raise DataError(
            f"cannot read {entry.name}: {entry.size:,} bytes; expected at most {MOST_BYTES:,}"
        )
    try:
        with path.open("rb") as file:
            file.seek(entry.offset)
            return io.BytesIO(file.read(entry.size))
    except (OSError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or error
        raise DataError(f"cannot read {entry.place}: {reason}") from error


def refuse_lost(error: BaseException, root: Path | None) -> None:
    """Do nothing if only the picture (or archive) that `error` is about cannot be read.

    Args:
        error: what was raised, perhaps from an OSError.
        root: the folder that holds the source, if it is one.

    Raises:
        DataError: the storage failed, or the root is gone, so that all that follow would be lost.
    """
    cause: BaseException | None = error
    while cause is not None and not (isinstance(cause, OSError) and cause.errno):
        cause = cause.__cause__
    if not isinstance(cause, OSError):
        return  # Pillow's own have no number: the bytes were read
    if cause.errno in _STORAGE:
        raise DataError(
            f"the source's storage failed ({error}). When it is back, repeat the command: it "
            "resumes where it stopped. If that file alone cannot be read, remove it first"
        ) from error
    if root is None:
        return
    try:
        with os.scandir(root) as found:  # looks at one entry, however many there are
            if next(found, None) is not None:
                return
            problem = "is empty now"  # as an unmounted share leaves it
    except OSError as listing:
        problem = f"cannot be listed: {listing.strerror}"
    raise DataError(
        f"the source is gone: {root} {problem} ({error}). When it is back, repeat the command: it "
        "resumes where it stopped"
    ) from error
