"""Where a tile set is written, and what must not be there, or not be so, before it is."""

import re
from pathlib import Path
from typing import Any

from rnncodec.data import tile_manifest
from rnncodec.errors import ConfigError
from rnncodec.prepare.journal import FOLDER, Journal, is_begun, is_empty
from rnncodec.prepare.listing import SourceDigest
from rnncodec.prepare.sources import Source

_OWN = re.compile(
    rf"{FOLDER}|validation|photographs|shard-\d+\.tar|(images|rejected)\.jsonl|SHA256SUMS"
    r"|manifest\.json|stats\.html|part-\d+-of-\d+"
)
"""Whatever a run, or its page, writes in its destination."""


def remove_leftovers(destination: Path) -> None:
    """Remove what a run that was killed at its very end has left."""
    folder = destination / FOLDER
    if folder.is_dir() and (is_begun(destination) or is_empty(folder)):
        with Journal(destination) as journal:
            journal.remove()


def part_folder(destination: Path, part: tuple[int, int]) -> Path:
    """The folder of the whole set, or of a part.

    Raises:
        ConfigError: the destination holds the other of the two, or parts of another number.
    """
    number, count = part
    name = f"part-{number:03d}-of-{count:03d}" if count > 1 else ""
    parts = [path.name for path in destination.glob("part-*-of-*")]
    whole = [path for path in (tile_manifest.NAME, FOLDER) if (destination / path).exists()]
    others = whole if name else parts
    others += [other for other in parts if name and not other.endswith(name[-7:])]
    if others:
        raise ConfigError(
            f"{destination} holds {others[0]}, which does not go with --shard {number}/{count}; "
            "choose another destination, or remove that"
        )
    return destination / name


def refuse_inside(destination: Path, source: Source) -> None:
    """Refuse a destination in the source, and a source among the files of the destination.

    Raises:
        ConfigError: one would become part of, or overwrite, the other.
    """
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
    """Refuse to begin where there are files that a run would overwrite or remove.

    Raises:
        ConfigError: naming the first of them.
    """
    if not destination.is_dir() or is_begun(destination):
        return
    for path in sorted(destination.iterdir()):
        if not _OWN.fullmatch(path.name):
            continue
        if path.is_symlink() or not path.is_dir():
            harmless = False
        else:
            harmless = is_empty(path) if path.name == FOLDER else not any(path.iterdir())
        if not harmless:
            raise ConfigError(
                f"{destination} holds {path.name}, which no run of `rnncodec prepare` that can be "
                "resumed has written, and a new one might overwrite; choose another destination, "
                "or move that away"
            )


def refuse_changed(made_from: dict[str, Any], source: Source, destination: Path) -> None:
    """Refuse to call a set finished whose source has been added to, or taken from, since.

    Raises:
        ConfigError: it has.
    """
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
