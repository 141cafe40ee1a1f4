"""Files from a web server: bounded, checked, tried again, and whole or not there at all."""

import hashlib
import http.client
import re
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from rnncodec.errors import ConfigError, DataError
from rnncodec.machine.storage import replacing

SCHEMES = ("http", "https")
PAUSES = (1.0, 2.0, 4.0)
"""Seconds before the second attempt, the third, ..."""

_ADDRESS = re.compile(
    r"https?://([\w.-]+|\[[\da-f:.]+\])(:\d{1,5})?(/[\w.~!$&'()*+,;=:@%-]*)*",
    re.ASCII | re.IGNORECASE,
)
_PATIENCE = 30.0  # seconds without a byte
_PIECE = 1 << 20
_BUSY = (408, 425, 429)  # statuses under 500 that may be others a little later


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
    return isinstance(text, str) and text.partition("://")[0].lower() in SCHEMES


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
    for piece in _pieces(url):
        size += len(piece)
        _check_size(url, size, expected)
        digest.update(piece)
        file.write(piece)
    if expected.size is not None and size != expected.size:
        raise _AttemptError(f"it ended after {size:,} of {expected.size:,} bytes")
    if expected.sha256 is not None and digest.hexdigest() != expected.sha256:
        raise _AttemptError(
            f"its SHA-256 is {digest.hexdigest()[:12]}..., expected {expected.sha256[:12]}...; "
            "it is damaged on the server, or belongs to another manifest: copy the set again"
        )


def _pieces(url: str) -> Iterator[bytes]:
    try:
        with urllib.request.urlopen(url, timeout=_PATIENCE) as response:
            while piece := response.read(_PIECE):
                yield piece
            if response.length:  # of what Content-Length promised
                raise _AttemptError(f"it ended {response.length:,} bytes early")
    except urllib.error.HTTPError as error:
        _judge(url, error)
    except (http.client.HTTPException, OSError) as error:
        reason = getattr(error, "reason", None) or error
        raise _AttemptError(f"{reason}; check the connection and try again") from error


def _check_size(url: str, size: int, expected: Expected) -> None:
    most = expected.most if expected.size is None else expected.size
    if size > most:
        raise DataError(f"{url} has more than {most:,} bytes, which cannot be; copy it again")


def _judge(url: str, error: urllib.error.HTTPError) -> None:
    status = f"the server says {error.code} {error.reason}"
    error.close()
    if error.code >= 500 or error.code in _BUSY:
        raise _AttemptError(f"{status}; try again later") from error
    advice = "check the address" if error.code == 404 else "check that it may be read by anybody"
    raise DataError(f"cannot download {url}: {status}; {advice}") from error
