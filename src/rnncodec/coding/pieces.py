"""Bytes from anywhere, piece by piece: memory, an open file, a socket, any iterable."""

import io
from collections.abc import Iterable, Iterator
from typing import BinaryIO

CHUNK = 1 << 16


def pieces_of(source: bytes | BinaryIO | Iterable[bytes]) -> Iterator[bytes]:
    """Yield the bytes of a source as they arrive: of a file in memory, an open one, or pieces."""
    if isinstance(source, bytes | bytearray | memoryview):
        source = io.BytesIO(source)
    if hasattr(source, "read"):
        # read1 returns what has arrived instead of waiting for a whole chunk
        read = getattr(source, "read1", source.read)
        return iter(lambda: read(CHUNK), b"")
    return iter(source)
