"""Files from a web server: bounded, checked, tried again, whole or not there at all; and a cache.

Written on the standard library: the usual downloaders bound neither a file's bytes nor a cache's,
and try again what cannot pass.
"""

import hashlib
import http.client
import os
import re
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from rnncodec.errors import ConfigError, DataError, StorageError
from rnncodec.machine import locks
from rnncodec.machine.storage import replacing

PAUSES = (1.0, 2.0, 4.0)
"""Seconds before the second attempt, the third, ..."""

_ADDRESS = re.compile(
    r"https?://([\w.-]+|\[[\da-f:.]+\])(:\d{1,5})?(/[\w.~!$&'()*+,;=:@%-]*)*",
    re.ASCII | re.IGNORECASE,
)
_TIMEOUT = 30.0  # seconds without a byte
_CHUNK = 1 << 20
_TRANSIENT = (408, 425, 429)  # statuses under 500 that may be others a little later
_FINISHED = re.compile("[0-9a-f]{64}")
_UNFINISHED = re.compile(r"\.[0-9a-f]{64}\..+")  # see storage.replacing


@dataclass(frozen=True)
class Expected:
    """What a file must be.

    Attributes:
        most: bytes at most.
        size: exactly so many, if that is known.
        sha256: of its content, if that is known.
    """

    most: int
    size: int | None = None
    sha256: str | None = None


class _AttemptError(Exception):
    """One attempt has failed; another may not."""


def is_address(text: object) -> bool:
    """Whether this names something on a web server.

    >>> is_address("https://example.org/tiles"), is_address("/data/tiles")
    (True, False)
    """
    return isinstance(text, str) and text.partition("://")[0].lower() in ("http", "https")


def check_address(url: str) -> str:
    """An address to which names of files can be appended, without a slash at its end.

    Raises:
        ConfigError: it is none, or has a query or a password.
    """
    if not _ADDRESS.fullmatch(url):
        shown = re.sub("[?#].*", "?...", re.sub("//[^/]*@", "//...@", url))  # no secret in a log
        raise ConfigError(
            f"{shown}: expected http(s)://SERVER[:PORT]/FOLDER, without a password, ? or #, and "
            "characters beyond ASCII written as %XX"
        )
    return url.rstrip("/")


def download(
    url: str, target: Path, expected: Expected, *, pauses: tuple[float, ...] = PAUSES
) -> None:
    """Fetch a file; it takes its name when all of it is there and right.

    Raises:
        DataError: the server cannot be reached, has no such file, or sends something else.
        StorageError: the file cannot be written.
    """
    for pause in (*pauses, None):
        try:
            with replacing(target) as temporary, temporary.open("wb") as file:
                _attempt(url, file, expected)
        except _AttemptError as error:
            if pause is None:
                raise DataError(f"cannot download {url}: {error}") from error
            time.sleep(pause)
        else:
            return


def _attempt(url: str, file: BinaryIO, expected: Expected) -> None:
    digest, size = hashlib.sha256(), 0
    most = expected.most if expected.size is None else expected.size
    for piece in _pieces(url):
        size += len(piece)
        if size > most:
            raise DataError(f"{url} has more than {most:,} bytes, which cannot be; copy it again")
        digest.update(piece)
        file.write(piece)
    if expected.size is not None and size != expected.size:
        raise _AttemptError(f"it ended after {size:,} of {expected.size:,} bytes")
    if expected.sha256 is not None and digest.hexdigest() != expected.sha256:
        raise _AttemptError(
            f"its SHA-256 is {digest.hexdigest()[:12]}..., expected {expected.sha256[:12]}...; "
            "it is damaged on the server, or another version than this one expects"
        )


def _pieces(url: str) -> Iterator[bytes]:
    try:
        with urllib.request.urlopen(url, timeout=_TIMEOUT) as response:
            while piece := response.read(_CHUNK):
                yield piece
            if response.length:  # of what Content-Length promised
                raise _AttemptError(f"it ended {response.length:,} bytes early")
    except urllib.error.HTTPError as error:
        error.close()
        status = f"the server says {error.code} {error.reason}"
        if error.code >= 500 or error.code in _TRANSIENT:
            raise _AttemptError(f"{status}; try again later") from error
        advice = (
            "check the address" if error.code == 404 else "check that it may be read by anybody"
        )
        raise DataError(f"cannot download {url}: {status}; {advice}") from error
    except (http.client.HTTPException, OSError) as error:
        reason = getattr(error, "reason", None) or error
        raise _AttemptError(f"{reason}; check the connection and try again") from error


def user_cache() -> Path:
    """Where this user's system wants what can be fetched again: ``~/.cache/rnncodec`` on Linux.

    Raises:
        ConfigError: the `[eval]` extra, which brings platformdirs, is not installed.
    """
    try:
        import platformdirs
    except ModuleNotFoundError as error:
        raise ConfigError(
            "downloads need platformdirs; run: pip install 'rnncodec[eval]'"
        ) from error
    return platformdirs.user_cache_path("rnncodec")


class DownloadCache:
    """Files by their SHA-256; where there is no room, the least recently used one is removed.

    All processes of a machine may share one: a lock lets one of them fetch at a time, so that
    nothing is fetched twice and the room is never exceeded. A file takes its name, which is its
    sum, once it is whole; what a killed process was writing is removed by the next one to fetch.

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
        with self._locked():
            if not self.has(sha256):  # else another process was faster
                self._make_room(self.room - size)
                download(url, path, Expected(size, size, sha256), pauses=self.pauses)
        return path

    @contextmanager
    def _locked(self) -> Iterator[None]:
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with locks.exclusive(self.folder / "lock"):
                yield
        except OSError as error:
            raise StorageError(
                f"{self.folder}: cannot be written ({error.strerror}); set data.cache_dir to "
                "another folder"
            ) from error

    def _make_room(self, room: int) -> None:
        """Remove unfinished files, then the least recently used ones until all fit in `room`."""
        found: list[tuple[int, int, Path]] = []
        for path in self.folder.iterdir():
            if _UNFINISHED.fullmatch(path.name):  # under the lock: nobody is writing it
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
