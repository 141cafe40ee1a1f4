"""Where a tile set is written, and what must not be there, or not be so, before it is."""

from pathlib import Path
from typing import Any

from rnncodec.data import tile_manifest
from rnncodec.errors import ConfigError
from rnncodec.prepare.ledger import FOLDER, Ledger
from rnncodec.prepare.listing import Outline
from rnncodec.prepare.sources import Source


def clear(destination: Path) -> None:
    """Clear away what a run that was killed at its very end has left."""
    if (destination / FOLDER).exists():
        with Ledger(destination) as ledger:
            ledger.remove()


def place_of(destination: Path, part: tuple[int, int]) -> Path:
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
    """Refuse a destination whose own files would be pictures of the source.

    Raises:
        ConfigError: it lies in the source's folder.
    """
    if Path(source.place()) in (destination.resolve(), *destination.resolve().parents):
        raise ConfigError(
            f"{destination} lies in the source, {source.place()}; choose a destination outside"
        )


def refuse_changed(made_from: dict[str, Any], source: Source, destination: Path) -> None:
    """Refuse to call a set finished whose source has been added to, or taken from, since.

    Raises:
        ConfigError: it has.
    """
    outline = Outline()
    for item in source.items():
        outline.add(item)
    if outline.plain().items() <= made_from.items():
        return
    then = made_from.get("items")
    how = f"files then {then}, now {outline.items}" if then != outline.items else "other files"
    raise ConfigError(
        f"{destination} is finished, and its source has changed since ({how}). The tiles stay as "
        "they are; prepare the source as it is now into another destination, or only what was "
        "added, as a list, and train on both: data.root=[OLD,NEW]"
    )
