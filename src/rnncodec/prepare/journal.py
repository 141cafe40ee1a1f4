"""The state of a run on disk: what is finished stays finished, whenever the process is killed.

work/plan.json        what is being made; a run with other settings is refused
work/outline.json     what the source consists of: number and SHA-256 of its files
work/listing.jsonl    all images of the source
work/000000.jsonl     the images whose turn came while shard 0 was filled, then where the
                      next shard begins; written when shard 0 is on the disk
"""

import json
import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any, NamedTuple

from rnncodec.data.tile_manifest import PHOTOGRAPHS, VALIDATION
from rnncodec.errors import ConfigError, StorageError
from rnncodec.machine import locks
from rnncodec.machine.storage import flush_to_disk, write_text

FOLDER = "work"
PLAN = "plan.json"
_FILES = re.compile(r"lock|plan\.json|outline\.json|listing\.jsonl|current|\d{6,}\.jsonl")
_WRITTEN = (
    r"shard-\d+\.tar|[0-9a-f]{32}\.png|SHA256SUMS|stats\.html"
    r"|(manifest|plan|outline)\.json|(images|rejected|listing)\.jsonl"
)
_TEMPORARY = re.compile(rf"\.({_WRITTEN})\.[a-z0-9_]{{8}}")  # as `storage.replacing` names them


class Cursor(NamedTuple):
    """Where a shard begins: with which image (its place in this part), after how many tiles."""

    place: int = 0
    tiles: int = 0


@dataclass(frozen=True)
class Shard:
    """A finished shard."""

    name: str
    tiles: int
    bytes: int
    sha256: str


class Journal:
    """Finished shards and records of images, in a folder `work` of the destination.

    A record of an image counts once the shard is committed in which its turn came. One process
    at a time: a second one is refused.

    Raises:
        StorageError: another process writes there; the folder cannot be written.
    """

    def __init__(self, destination: Path) -> None:
        self.destination = destination
        self.folder = destination / FOLDER
        self.listing = self.folder / "listing.jsonl"
        self.source_digest = self.folder / "outline.json"
        self.shards: list[Shard] = []
        self.cursor = Cursor()
        self._finished = 0  # files of records; counting them anew for each shard takes too long
        self._lock = ExitStack()
        self._current: IO[str] | None = None

    def __enter__(self) -> "Journal":
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._lock.enter_context(locks.exclusive(self.folder / "lock", patience=0))
        except locks.Held as error:
            raise StorageError(
                f"{self.destination}: another `rnncodec prepare` is writing there; wait for it, "
                "or choose another destination"
            ) from error
        except OSError as error:
            raise StorageError(f"{self.folder}: cannot be written ({error.strerror})") from error
        for name in ("", FOLDER, VALIDATION, PHOTOGRAPHS):  # what a killed process was writing
            folder = self.destination / name
            for path in folder.iterdir() if folder.is_dir() else ():
                if _TEMPORARY.fullmatch(path.name):
                    path.unlink()
        self._finished = len(self._files())
        return self

    def __exit__(self, *_: object) -> None:
        if self._current is not None:
            # of a full disk, reported already; what is not committed is done again
            with suppress(OSError):
                self._current.close()
        self._lock.close()

    def check(self, plan: dict[str, Any]) -> None:
        """Store the plan of a new run, or refuse to resume that of another.

        Raises:
            ConfigError: what is there was begun with other settings.
        """
        path = self.folder / PLAN
        if path.exists():
            refuse_other(json.loads(path.read_text()), plan, self.destination)
        else:
            write_text(path, json.dumps(plan, indent=1))

    def replay(self) -> Iterator[dict[str, Any]]:
        """Restore finished shards and the cursor; the records of images done, in order."""
        for line in self._lines():
            if "begin" in line:
                self.cursor = Cursor(*line["begin"])
                if line["shard"]:
                    self.shards.append(Shard(**line["shard"]))
            else:
                yield line

    def images(self) -> Iterator[dict[str, Any]]:
        """The records of all images so far, read from the disk."""
        return (line for line in self._lines() if "begin" not in line)

    def append(self, record: dict[str, Any]) -> None:
        """Add the record of an image; it counts from the next `commit` on.

        Raises:
            StorageError: it could not be written.
        """
        with self._writing():
            if self._current is None:
                self._current = (self.folder / "current").open("w", encoding="ascii")
            self._current.write(json.dumps(record) + "\n")

    def commit(self, shard: Shard | None, cursor: Cursor) -> None:
        """Record that a shard, now on the disk, is finished; None if images end without one.

        Raises:
            StorageError: it could not be written.
        """
        self.append({"begin": cursor, "shard": shard and asdict(shard)})
        with self._writing():
            assert self._current is not None
            self._current.close()
            self._current = None
            flush_to_disk(self.folder / "current")
            (self.folder / "current").replace(self.folder / f"{self._finished:06d}.jsonl")
        self._finished += 1
        self.cursor = cursor
        if shard is not None:
            self.shards.append(shard)

    def remove(self) -> None:
        """Remove the folder: the manifest says all that is needed later."""
        with self._writing():
            own = [path for path in self.folder.iterdir() if _FILES.fullmatch(path.name)]
            for path in sorted(own, key=lambda path: path.name == PLAN):  # last: it says whose
                path.unlink()
            with suppress(OSError):  # not empty: somebody else's file
                self.folder.rmdir()

    def _files(self) -> list[Path]:
        return sorted(self.folder.glob(f"{'[0-9]' * 6}*.jsonl"))

    def _lines(self) -> Iterator[dict[str, Any]]:
        for path in self._files():
            with path.open(encoding="ascii") as file:
                yield from map(json.loads, file)

    @contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise StorageError(
                f"{self.folder}: could not be written ({error.strerror or error}); free some "
                "space, then repeat the command: it resumes where it stopped"
            ) from error


def is_begun(destination: Path) -> bool:
    """Whether a run that can be resumed has begun to write there."""
    try:
        plan = json.loads((destination / FOLDER / PLAN).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(plan, dict) and "settings" in plan


def is_empty(folder: Path) -> bool:
    """Whether a folder `work` holds nothing but what a run leaves that had no time to begin."""
    return all(path.name == "lock" or _TEMPORARY.fullmatch(path.name) for path in folder.iterdir())


def refuse_other(found: dict[str, Any], wanted: dict[str, Any], destination: Path) -> None:
    """Refuse a destination that was begun, or finished, with other settings.

    Raises:
        ConfigError: naming the first difference.
    """
    for key in wanted:
        if isinstance(wanted[key], dict) and isinstance(found.get(key), dict):
            refuse_other(found[key], wanted[key], destination)
        elif found.get(key) != wanted[key]:
            raise ConfigError(
                f"{destination} holds tiles made with {key}={found.get(key)}, now it is "
                f"{wanted[key]}; choose another destination, or remove that one"
            )
