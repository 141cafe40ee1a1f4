"""The state of a run on disk: what is finished stays finished, whenever the process is killed.

work/plan.json        what is being made; a run with other settings is refused
work/outline.json     what the source consists of: number and SHA-256 of its files
work/listing.jsonl    all images of the source
work/000000.jsonl     the images whose turn came while shard 0 was filled, then where the
                      next shard begins; written when shard 0 is on the disk

And what must not be in a destination, or not be so, before a run begins there.
"""

import json
import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any, NamedTuple

from rnncodec.data.tile_manifest import NAME, PHOTOGRAPHS, VALIDATION
from rnncodec.errors import ConfigError, StorageError
from rnncodec.machine import locks
from rnncodec.machine.storage import flush_to_disk, write_text
from rnncodec.prepare.listing import SourceDigest
from rnncodec.prepare.sources import Source

FOLDER = "work"
PLAN = "plan.json"
_FILES = re.compile(r"lock|plan\.json|outline\.json|listing\.jsonl|current|\d{6,}\.jsonl")
_WRITTEN = (
    r"shard-\d+\.tar|[0-9a-f]{32}\.png|SHA256SUMS|stats\.html"
    r"|(manifest|plan|outline)\.json|(images|rejected|listing)\.jsonl"
)
_TEMPORARY = re.compile(rf"\.({_WRITTEN})\.[a-z0-9_]{{8}}")  # as `storage.replacing` names them
_OWN = re.compile(  # whatever a run, or its page, writes in its destination
    rf"{FOLDER}|validation|photographs|shard-\d+\.tar|(images|rejected)\.jsonl|SHA256SUMS"
    r"|manifest\.json|stats\.html|part-\d+-of-\d+"
)


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
        StorageError: another process writes there; the folder cannot be written, at any time.
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
        """Store the plan of a new run; ConfigError to resume one with other settings."""
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
        """Add the record of an image; it counts from the next `commit` on."""
        with self._writing():
            if self._current is None:
                self._current = (self.folder / "current").open("w", encoding="ascii")
            self._current.write(json.dumps(record) + "\n")

    def commit(self, shard: Shard | None, cursor: Cursor) -> None:
        """Record that a shard, now on the disk, is finished; None if images end without one."""
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


def remove_leftovers(destination: Path) -> None:
    """Remove what a run that was killed at its very end has left."""
    folder = destination / FOLDER
    if folder.is_dir() and (is_begun(destination) or is_empty(folder)):
        with Journal(destination) as journal:
            journal.remove()


def part_folder(destination: Path, part: tuple[int, int]) -> Path:
    """The folder of the whole set, or of a part; ConfigError where the other kind is there."""
    number, count = part
    name = f"part-{number:03d}-of-{count:03d}" if count > 1 else ""
    parts = [path.name for path in destination.glob("part-*-of-*")]
    whole = [path for path in (NAME, FOLDER) if (destination / path).exists()]
    others = whole if name else parts
    others += [other for other in parts if name and not other.endswith(name[-7:])]
    if others:
        raise ConfigError(
            f"{destination} holds {others[0]}, which does not go with --shard {number}/{count}; "
            "choose another destination, or remove that"
        )
    return destination / name


def refuse_inside(destination: Path, source: Source) -> None:
    """Refuse a destination in the source, and a source among the files of the destination."""
    place, folder = Path(source.place()), destination.resolve()
    if place in (folder, *folder.parents):
        raise ConfigError(
            f"{destination} lies in the source, {place}; choose a destination outside"
        )
    if place.is_relative_to(folder) and _OWN.fullmatch(place.relative_to(folder).parts[0]):
        raise ConfigError(
            f"the source {place} has a name that `rnncodec prepare` writes in {destination}; "
            "choose another destination"
        )


def refuse_foreign(destination: Path) -> None:
    """Refuse to begin where there are files that a run would overwrite or remove."""
    if not destination.is_dir() or is_begun(destination):
        return
    for path in sorted(destination.iterdir()):
        if not _OWN.fullmatch(path.name):
            continue
        harmless = path.is_dir() and not path.is_symlink()
        if harmless:
            harmless = is_empty(path) if path.name == FOLDER else not any(path.iterdir())
        if not harmless:
            raise ConfigError(
                f"{destination} holds {path.name}, which no run of `rnncodec prepare` that can be "
                "resumed has written, and a new one might overwrite; choose another destination, "
                "or move that away"
            )


def refuse_other(found: dict[str, Any], wanted: dict[str, Any], destination: Path) -> None:
    """Refuse a destination begun, or finished, with other settings; names the first of them."""
    for key in wanted:
        if isinstance(wanted[key], dict) and isinstance(found.get(key), dict):
            refuse_other(found[key], wanted[key], destination)
        elif found.get(key) != wanted[key]:
            raise ConfigError(
                f"{destination} holds tiles made with {key}={found.get(key)}, now it is "
                f"{wanted[key]}; choose another destination, or remove that one"
            )


def refuse_changed(made_from: dict[str, Any], source: Source, destination: Path) -> None:
    """Refuse to call a set finished whose source has been added to, or taken from, since."""
    digest = SourceDigest()
    for item in source.items():
        digest.add(item)
    if digest.plain().items() <= made_from.items():
        return
    then = made_from.get("items")
    how = f"files then {then}, now {digest.items}" if then != digest.items else "other files"
    raise ConfigError(
        f"{destination} is finished, and its source has changed since ({how}). The tiles stay as "
        "they are; prepare the source as it is now into another destination, or only what was "
        "added, as a list, and train on both: data.root=[OLD,NEW]"
    )
