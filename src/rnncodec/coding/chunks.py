"""Bytes from anywhere, chunk by chunk: memory, a path, an open file, a socket, any iterable."""

import io
import os
import selectors
import time
from collections.abc import Iterable, Iterator
from os import PathLike
from pathlib import Path
from typing import Any, BinaryIO, TypeAlias

from rnncodec.errors import DataError

Source: TypeAlias = (
    bytes | bytearray | memoryview | str | PathLike[str] | BinaryIO | Iterable[bytes]
)
"""The bytes themselves, the path of a file, an open binary file, or chunks of any size."""
CHUNK = 1 << 16
PAUSE = 0.01
"""Seconds between two looks at a file that has nothing yet and no descriptor to wait for."""


def read_all(source: Source) -> bytes:
    """All bytes of a source.

    Raises:
        DataError: it cannot be read, or is nothing that bytes can be read from.
    """
    return source if isinstance(source, bytes) else b"".join(chunks_of(source))


def chunks_of(source: Source) -> Iterator[bytes]:
    """The bytes of a source as they arrive, in chunks that are not empty.

    Raises:
        DataError: it cannot be read, or is nothing that bytes can be read from.
    """
    if isinstance(source, str | PathLike):
        return from_path(source)
    if isinstance(source, bytes | bytearray | memoryview):
        return filter(None, [bytes(source)])
    if hasattr(source, "read"):
        return from_file(source)
    if isinstance(source, Iterable):
        return filter(None, map(as_bytes, source))
    raise DataError(
        f"{type(source).__name__}: expected the bytes of a .rnc file, its path, an open binary "
        "file, or chunks of bytes"
    )


def from_path(path: str | PathLike[str]) -> Iterator[bytes]:
    """The bytes of a file."""
    try:
        with Path(path).open("rb") as file:
            yield from from_file(file)
    except (OSError, ValueError) as error:  # ValueError: a path with a null character
        reason = getattr(error, "strerror", None) or error
        raise DataError(f"{os.fspath(path)}: cannot be read ({reason})") from error


def from_file(file: Any) -> Iterator[bytes]:
    """The bytes of an open file; one that does not block is waited for."""
    # read1 returns what has arrived instead of waiting for a whole chunk; but of a pipe that does
    # not block it says "nothing yet" and "the end" alike, which read tells apart. Windows has no
    # get_blocking before Python 3.12.
    raw, waits = getattr(file, "raw", None), True
    if isinstance(raw, io.FileIO) and hasattr(os, "get_blocking"):
        waits = os.get_blocking(raw.fileno())
    read = getattr(file, "read1", file.read) if waits else file.read
    while (found := read(CHUNK)) is None or (chunk := as_bytes(found)):
        if found is not None:
            yield chunk
            continue
        try:
            descriptor = file.fileno()
        except (AttributeError, OSError):
            time.sleep(PAUSE)
            continue
        # poll takes descriptors of any number and kind; Windows has select only
        with getattr(selectors, "PollSelector", selectors.SelectSelector)() as selector:
            selector.register(descriptor, selectors.EVENT_READ)
            selector.select()


def as_bytes(chunk: Any) -> bytes:
    """One chunk, which must be bytes or the like."""
    try:
        return bytes(memoryview(chunk))
    except TypeError as error:
        raise DataError(
            f"{type(chunk).__name__}: expected chunks of bytes; open a file in binary mode ('rb')"
        ) from error
