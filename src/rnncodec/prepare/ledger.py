"""The state of a run on disk: what is finished stays finished, whenever the process is killed.

work/plan.json        what is being made; a run with other settings refuses to go on
work/outline.json     what the source consists of, in brief
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
from types import TracebackType
from typing import IO, Any, NamedTuple

from rnncodec.data.tile_manifest import PHOTOGRAPHS, VALIDATION
from rnncodec.errors import ConfigError, StorageError
from rnncodec.machine import locks
from rnncodec.machine.storage import flush_to_disk, write_text
from rnncodec.prepare.worker import Outcome

FOLDER = "work"
PLAN = "plan.json"
_FILES = re.compile(r"lock|plan\.json|outline\.json|listing\.jsonl|current|\d{6,}\.jsonl")
_WRITTEN = "|".join(
    (
        r"shard-\d+\.tar|[0-9a-f]{32}\.png|SHA256SUMS|stats\.html",
        r"(manifest|plan|outline)\.json|(images|rejected|listing)\.jsonl",
    )
)
_TEMPORARY = re.compile(rf"\.({_WRITTEN})\.[a-z0-9_]{{8}}")  # as `storage.replacing` names them


class Begin(NamedTuple):
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


class Ledger:
    """Finished shards and accounts of images, in a folder `work` of the destination.

    One process at a time: a second one is refused.

    Raises:
        StorageError: another process writes there; the folder cannot be written.
    """

    def __init__(self, destination: Path) -> None:
        self.destination = destination
        self.folder = destination / FOLDER
        self.shards: list[Shard] = []
        self.begin = Begin()
        self._finished = 0  # files of accounts; counting them anew for each shard takes too long
        self._lock = ExitStack()
        self._current: IO[str] | None = None

    def __enter__(self) -> "Ledger":
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
        self._clear_temporary()
        self._finished = len(self._accounts())
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._current is not None:
            # of a full disk, told already; what is not committed is done again
            with suppress(OSError):
                self._current.close()
        self._lock.close()

    @property
    def listing(self) -> Path:
        """The list of all images."""
        return self.folder / "listing.jsonl"

    @property
    def outline(self) -> Path:
        """What the source consisted of when it was listed."""
        return self.folder / "outline.json"

    def check(self, plan: dict[str, Any]) -> None:
        """Keep the plan of a new run, or refuse to go on with that of another.

        Raises:
            ConfigError: what is there was begun with other settings.
        """
        path = self.folder / PLAN
        if not path.exists():
            write_text(path, json.dumps(plan, indent=1))
            return
        refuse_other(json.loads(path.read_text()), plan, self.destination)

    def resume(self) -> Iterator[dict[str, Any]]:
        """Take up finished shards; the accounts of the images that are done, in order."""
        for path in self._accounts():
            with path.open(encoding="ascii") as file:
                for line in file:
                    fact = json.loads(line)
                    if "begin" not in fact:
                        yield fact
                    else:
                        shard = fact["shard"] and Shard(**fact["shard"])
                        self._take_up(shard, Begin(*fact["begin"]))

    def images(self) -> Iterator[dict[str, Any]]:
        """The accounts of all images so far, read from the disk."""
        for path in self._accounts():
            with path.open(encoding="ascii") as file:
                facts = map(json.loads, file)
                yield from (fact for fact in facts if "begin" not in fact)

    def note(self, outcome: Outcome) -> None:
        """Account for an image; it counts from the next `commit` on.

        Raises:
            StorageError: it could not be written.
        """
        with self._writing():
            self._append(outcome.account())

    def commit(self, shard: Shard | None, begin: Begin) -> None:
        """Say that a shard, now on the disk, is finished; None if images end without one.

        Raises:
            StorageError: it could not be written.
        """
        path = self.folder / "current"
        with self._writing():
            self._append({"begin": begin, "shard": shard and asdict(shard)}).close()
            self._current = None
            flush_to_disk(path)
            path.replace(self.folder / f"{self._finished:06d}.jsonl")
        self._finished += 1
        self._take_up(shard, begin)

    def remove(self) -> None:
        """Clear the folder away: the manifest says all that is worth keeping."""
        with self._writing():
            self._remove()

    def _remove(self) -> None:
        own = [path for path in self.folder.iterdir() if _FILES.fullmatch(path.name)]
        for path in sorted(own, key=lambda path: path.name == PLAN):  # last: it says whose all is
            path.unlink()
        with suppress(OSError):  # not empty: somebody else's file
            self.folder.rmdir()

    def _append(self, fact: dict[str, Any]) -> IO[str]:
        if self._current is None:
            self._current = (self.folder / "current").open("w", encoding="ascii")
        self._current.write(json.dumps(fact) + "\n")
        return self._current

    @contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise StorageError(
                f"{self.folder}: could not be written ({error.strerror or error}); free some "
                "space, then repeat the command: it goes on where it stopped"
            ) from error

    def _accounts(self) -> list[Path]:
        return sorted(self.folder.glob(f"{'[0-9]' * 6}*.jsonl"))

    def _take_up(self, shard: Shard | None, begin: Begin) -> None:
        self.begin = begin
        if shard is not None:
            self.shards.append(shard)

    def _clear_temporary(self) -> None:
        """Remove what a killed process was writing (see `storage.replacing`)."""
        own = (FOLDER, VALIDATION, PHOTOGRAPHS)
        for folder in (self.destination, *(self.destination / name for name in own)):
            for path in folder.iterdir() if folder.is_dir() else ():
                if _TEMPORARY.fullmatch(path.name):
                    path.unlink()


def is_begun(destination: Path) -> bool:
    """Whether a run has begun to write there, and can go on."""
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
