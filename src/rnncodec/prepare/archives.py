"""Photographs in tar archives: where they lie, and their bytes."""

import io
import tarfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from rnncodec.errors import DataError
from rnncodec.images.reading import is_hidden, picture_extensions
from rnncodec.prepare.failures import refuse_lost
from rnncodec.prepare.listing import Entry

MOST_BYTES = 1 << 30
"""A larger member is not read: each worker holds one in memory."""

# ValueError: a null byte in a path of a list; OverflowError: a member's size beyond all files
_DAMAGED = (tarfile.TarError, OSError, EOFError, ValueError, OverflowError)


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
                archive.members = []  # type: ignore[attr-defined]  # it would keep them all
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
