"""What sets of tiles must have in common to be mixed, and how their photographs are called."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from rnncodec.data.likeness import NEAR
from rnncodec.data.tile_manifest import PHOTOGRAPHS, VALIDATION
from rnncodec.data.tile_sets import TileSet
from rnncodec.errors import ConfigError


class _Origin(NamedTuple):
    """Where a photograph comes from, how it was decoded and shrunk, and what came of it."""

    source: str
    decoded: str
    sha256: str

    def same(self, other: "_Origin") -> bool:
        """Whether two of the same name are the same picture."""
        if self.sha256 == other.sha256:
            return True
        # lists of files say nothing of what is in them: two folders may have the same names
        return self.source == other.source and self.decoded != other.decoded


def refuse_unlike(sets: Sequence[TileSet]) -> None:
    """Refuse sets that do not hold out alike: one might train on what another validates with.

    Raises:
        ConfigError: naming two of them.
    """
    first = _fraction(sets[0])
    for other in sets[1:]:
        if _fraction(other) != first:
            raise ConfigError(
                f"{sets[0].root} holds out {first} of its images, {other.root} {_fraction(other)}:"
                " images held out in one may be trained on in the other; prepare one of them "
                f"again, with --val-fraction {first}, or train on one only"
            )


def photographs(sets: Sequence[TileSet]) -> tuple[dict[str, Path], set[str]]:
    """Name and file of each photograph kept in one piece, and the names of those held out.

    Two photos with one name are duplicates if their SHA-256 match, or if both sets come from the
    same source but were decoded or resized differently. Other namesakes get a suffix.

    Raises:
        DataError, StorageError: one cannot be fetched.
    """
    named: dict[str, Path] = {}
    held_out: set[str] = set()
    known: dict[str, list[_Origin]] = {}
    for tiles in sets:
        for kind in (PHOTOGRAPHS, VALIDATION):
            for place, content, item in _items(tiles, kind):
                own = _Origin(_source(content), _decoded(content), str(item["sha256"]))
                name = _name(item["name"], own, known)
                named[name] = place.photograph(item)
                if kind == VALIDATION:
                    held_out.add(name)
    return named, held_out


def not_excluded(tiles: TileSet, hashes: Sequence[int]) -> int:
    """How many of the pictures with these perceptual hashes a set was not prepared without."""
    excluded = [int(value, 16) for value in tiles.parts[0][1]["excluded"]]
    return sum(all((one ^ other).bit_count() > NEAR for other in excluded) for one in hashes)


def _fraction(tiles: TileSet) -> Any:
    return tiles.parts[0][1]["settings"].get("val_fraction")


def _items(tiles: TileSet, kind: str) -> list[tuple[Any, dict[str, Any], dict[str, Any]]]:
    found = [(place, part, item) for place, part in tiles.parts for item in part[kind]]
    return sorted(found, key=lambda one: str(one[2]["name"]))


def _source(content: dict[str, Any]) -> str:
    facts = {key: value for key, value in content["source"].items() if key != "note"}
    return json.dumps(facts, sort_keys=True)


def _decoded(content: dict[str, Any]) -> str:
    return json.dumps([content["settings"].get("resize"), content.get("made_with")])


def _name(name: str, own: _Origin, known: dict[str, list[_Origin]]) -> str:
    namesakes = known.setdefault(name, [])
    number = next((n for n, one in enumerate(namesakes) if own.same(one)), len(namesakes))
    if number == len(namesakes):
        namesakes.append(own)
    return f"{name} ({number + 1})" if number else name
