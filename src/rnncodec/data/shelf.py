"""What was fetched from web servers, on the local disk, in no more room than it was given."""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from rnncodec.data.download import PAUSES, Expected, download
from rnncodec.data.fetch import user_cache
from rnncodec.errors import DataError, StorageError
from rnncodec.machine import locks

_FINISHED = re.compile("[0-9a-f]{64}")
_UNFINISHED = re.compile(r"\.[0-9a-f]{64}\..+")  # see storage.replacing


def default_shelf() -> Path:
    """`tiles` in the user's cache, on Linux `~/.cache/rnncodec/tiles` (`$XDG_CACHE_HOME`)."""
    return user_cache() / "tiles"


class Shelf:
    """Files by their SHA-256; where there is no room, the one unused for longest is removed.

    All processes of a machine may share one: a lock lets one of them fetch at a time, so that
    nothing is fetched twice and the room is never exceeded. A file that nobody can name before
    it was fetched whole (its name is its sum) is right; what was being written when a process
    was killed is removed by the next one to fetch.

    Args:
        folder: where; made when needed.
        room: bytes of all files together.
    """

    def __init__(self, folder: Path, room: int, *, pauses: tuple[float, ...] = PAUSES) -> None:
        self.folder = folder
        self.room = room
        self.pauses = pauses

    def path(self, sha256: str) -> Path:
        """Where a file is, if it is there."""
        return self.folder / sha256

    def has(self, sha256: str) -> bool:
        """Whether a file is there; it counts as used."""
        try:
            os.utime(self.path(sha256))
        except OSError:  # it is not there; or there, but somebody else's
            return self.path(sha256).is_file()
        return True

    def fetch(self, url: str, sha256: str, size: int) -> Path:
        """A file of so many bytes, from the disk or from the server.

        Raises:
            DataError: it is larger than the room; as `download`.
            StorageError: the folder cannot be written.
        """
        path = self.path(sha256)
        if self.has(sha256):
            return path
        if size > self.room:
            raise DataError(
                f"{url} has {size:,} bytes, the cache {self.room:,}; raise data.cache_gb"
            )
        with self._alone():
            if not self.has(sha256):  # else another process was faster
                self._clear(self.room - size)
                download(url, path, Expected(size, size, sha256), pauses=self.pauses)
        return path

    @contextmanager
    def _alone(self) -> Iterator[None]:
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with locks.exclusive(self.folder / "lock"):
                yield
        except OSError as error:
            raise StorageError(
                f"{self.folder}: cannot be written ({error.strerror}); set data.cache_dir to "
                "another folder"
            ) from error

    def _clear(self, room: int) -> None:
        """Remove unfinished files, then the longest unused ones until all fit in `room`."""
        found: list[tuple[int, int, Path]] = []
        for path in self.folder.iterdir():
            if _UNFINISHED.fullmatch(path.name):  # we are alone: nobody is writing it
                path.unlink(missing_ok=True)
            elif _FINISHED.fullmatch(path.name):  # else it is not ours
                with suppress(FileNotFoundError):  # somebody clears the folder by hand
                    state = path.stat()
                    found.append((state.st_mtime_ns, state.st_size, path))
        total = sum(size for _, size, _ in found)
        for _, size, path in sorted(found):
            if total <= room:
                break
            path.unlink(missing_ok=True)
            total -= size
