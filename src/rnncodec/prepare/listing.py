"""The list of all images of a source, in a file: sorted and read without holding it in memory."""

import hashlib
import heapq
import json
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from itertools import islice
from pathlib import Path
from typing import NamedTuple, TypeVar

from rnncodec.errors import StorageError
from rnncodec.machine.storage import replacing

SORTED_TOGETHER = 50_000
"""Lines that are sorted in memory at a time."""

EVERY = 1000
"""Things found while listing between two reports."""

T = TypeVar("T")
OnCount = Callable[[int], None]


class Entry(NamedTuple):
    """One image: what it is called, and where its bytes are.

    Attributes:
        name: of the image, unique in its source; says whether it is held out.
        place: path of the file or archive, relative to the source.
        offset: of its bytes in an archive; its row in a data set; -1 for a file of its own.
        size: in an archive; -1 elsewhere.
        problem: why it cannot be read, if that is known already.
    """

    name: str
    place: str = ""
    offset: int = -1
    size: int = -1
    problem: str = ""


class Item(NamedTuple):
    """What a source consists of: a file, an archive, a split of a data set.

    Attributes:
        place: path relative to the source, or name.
        size: of an archive in bytes, of a split in rows; -1 of a file, which is not looked at.
    """

    place: str
    size: int = -1


class SourceDigest:
    """How many items a source has, and a SHA-256 of their list: shows whether it has changed."""

    def __init__(self) -> None:
        self.items = 0
        self._digest = hashlib.sha256()

    def add(self, item: Item) -> Item:
        """Count an item in, and return it."""
        self.items += 1
        self._digest.update(json.dumps(item).encode() + b"\n")
        return item

    def plain(self) -> dict[str, int | str]:
        """As the manifest has it."""
        return {"items": self.items, "items_sha256": self._digest.hexdigest()}


def no_progress(_: int) -> None:
    """Report nothing."""


def counted(things: Iterable[T], on_count: OnCount) -> Iterator[T]:
    """Pass things on, and report how many they are after each `EVERY` of them."""
    for number, thing in enumerate(things, 1):
        if number % EVERY == 0:
            on_count(number)
        yield thing


def write_listing(path: Path, entries: Iterable[Entry]) -> None:
    """Write a listing as a whole or not at all, in the order given.

    Raises:
        StorageError: it could not be written.
    """
    with replacing(path) as temporary, temporary.open("w", encoding="ascii") as file:
        for entry in entries:
            file.write(json.dumps(entry) + "\n")  # escapes whatever is no ASCII


def read_listing(path: Path, part: tuple[int, int]) -> Iterator[tuple[int, Entry]]:
    """The entries of part k of n, every n-th one, with their numbers in the whole.

    Raises:
        StorageError: it cannot be read.
    """
    try:
        with path.open(encoding="ascii") as file:
            for number, line in islice(enumerate(file), part[0], None, part[1]):
                yield number, Entry(*json.loads(line))
    except (OSError, ValueError, TypeError) as error:
        raise StorageError(
            f"{path} cannot be read ({error}); remove all that was prepared there, then repeat "
            "the command"
        ) from error


def length_and_hash(path: Path) -> tuple[int, str]:
    """How many entries a listing has, and its SHA-256."""
    digest, lines = hashlib.sha256(), 0
    with path.open("rb") as file:
        for line in file:
            digest.update(line)
            lines += 1
    return lines, digest.hexdigest()


def sorted_lines(lines: Iterable[str]) -> Iterator[str]:
    """Strings without line ends, sorted; most of them wait in temporary files.

    >>> list(sorted_lines(["b", "a", "c"]))
    ['a', 'b', 'c']
    """
    waiting = iter(lines)
    with ExitStack() as stack:
        runs: list[Iterable[str]] = []
        while run := sorted(islice(waiting, SORTED_TOGETHER)):
            if len(run) < SORTED_TOGETHER:
                runs.append(run)
                break
            file = stack.enter_context(tempfile.TemporaryFile("w+", encoding="ascii"))
            file.writelines(f"{line}\n" for line in run)
            file.seek(0)
            runs.append(line[:-1] for line in file)
        yield from heapq.merge(*runs)
