"""Bytes from anywhere: what is accepted, what has not come yet, and what is no source."""

import io
import mmap
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from rnncodec.coding.chunks import CHUNK, chunks_of, read_all
from rnncodec.errors import DataError

DATA = bytes(range(256)) * (CHUNK // 200)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    (tmp_path / "data").write_bytes(DATA)
    return tmp_path / "data"


def mapped(path: Path) -> mmap.mmap:
    with path.open("rb") as file:
        return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)


SOURCES: dict[str, Callable[[Path], object]] = {
    "bytes": lambda _: DATA,
    "bytearray": lambda _: bytearray(DATA),
    "memoryview": lambda _: memoryview(DATA),
    "str": str,
    "Path": lambda path: path,
    "BytesIO": lambda _: io.BytesIO(DATA),
    "mmap": mapped,
    "list": lambda _: [b"", DATA[:9], b"", bytearray(DATA[9:20]), memoryview(DATA[20:]), b""],
    "generator": lambda _: (DATA[k : k + 999] for k in range(0, len(DATA), 999)),
}


@pytest.mark.parametrize("name", SOURCES)
def test_sources(name: str, path: Path) -> None:
    assert all(chunks_of(SOURCES[name](path)))
    assert b"".join(chunks_of(SOURCES[name](path))) == DATA
    assert read_all(SOURCES[name](path)) == DATA


@pytest.mark.parametrize("buffering", [0, -1])
def test_a_pipe_that_does_not_block_is_waited_for(buffering: int) -> None:
    reading, writing = os.pipe()
    os.set_blocking(reading, False)
    with open(reading, "rb", buffering) as file:  # noqa: PTH123
        chunks = chunks_of(file)
        os.write(writing, b"first")
        assert next(chunks) == b"first"
        later = threading.Timer(0.05, lambda: (os.write(writing, b"second"), os.close(writing)))
        later.start()
        assert list(chunks) == [b"second"]
        later.join()


class Slow(io.RawIOBase):
    """A file without descriptor that has nothing every other time."""

    def __init__(self) -> None:
        self.answers = [None, b"first", None, None, b"second", b""]

    def read(self, _: int = -1) -> bytes | None:
        return self.answers.pop(0)


def test_a_file_without_descriptor_is_asked_again() -> None:
    assert list(chunks_of(Slow())) == [b"first", b"second"]


def failing() -> Iterator[bytes]:
    yield b"begin"
    raise KeyError("of the caller's own")


def test_an_error_of_the_callers_own_iterator_is_the_callers() -> None:
    with pytest.raises(KeyError, match="own"):
        read_all(failing())


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (
            None,
            r"^NoneType: expected the bytes of a \.rnc file, its path, an open binary file, or",
        ),
        (3, "^int: expected the bytes"),
        (["text"], r"^str: expected chunks of bytes; open a file in binary mode \('rb'\)$"),
        ([b"begin", None], "^NoneType: expected chunks of bytes"),
        (io.StringIO("text"), "^str: expected chunks of bytes"),
        ("missing.rnc", r"^missing\.rnc: cannot be read \(No such file or directory\)$"),
        ("/", r"^/: cannot be read \(Is a directory\)$"),
        ("a\0b", r"cannot be read \(embedded null byte\)$"),
    ],
    ids=["None", "int", "list", "chunks", "text", "missing", "folder", "null byte"],
)
def test_what_is_no_source(source: object, message: str) -> None:
    with pytest.raises(DataError, match=message):
        read_all(source)  # type: ignore[arg-type]
