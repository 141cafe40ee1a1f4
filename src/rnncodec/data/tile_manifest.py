"""The manifest of a prepared tile set (see docs/DATA.md): read, and trusted in nothing."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rnncodec.errors import DataError

NAME = "manifest.json"
FORMAT = "rnncodec tiles 1"
VALIDATION, PHOTOGRAPHS = "validation", "photographs"
"""Keys, and folders, of the whole photographs: held out, and not."""

LARGEST_TILE = 512
_MOST_TILES = 1 << 24  # of a shard
_NEEDED = {"settings", "excluded", "part", "source", "shards", VALIDATION, PHOTOGRAPHS}
# no address, nothing absolute, no way up, nothing that a server or a shell takes for more
_FILE = re.compile(r"\w[\w.-]*(/\w[\w.-]*)?", re.ASCII)
_HASH = re.compile("[0-9a-f]{16}")  # a perceptual one
_SHA256 = re.compile("[0-9a-f]{64}")


def read(path: Path, *, name: str = "") -> dict[str, Any]:
    """A manifest; messages call it `name` if that is given.

    Raises:
        DataError: there is none, or it is none.
    """
    name = name or str(path)
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise DataError(
            f"cannot read {name}: {error.strerror}; tiles are made with `rnncodec prepare`"
        ) from error
    except (ValueError, RecursionError) as error:
        raise DataError(f"{name} is no manifest of tiles: {error}") from error
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        found = content.get("format") if isinstance(content, dict) else type(content).__name__
        raise DataError(f"{name}: expected the format {FORMAT!r}, found {found!r}")
    if problem := next(_problems(content), ""):
        raise DataError(f"{name} is damaged: {problem}; prepare the set again")
    return content


def _problems(content: dict[str, Any]) -> Iterator[str]:
    """What is missing or cannot be, the first of it first: nothing in a manifest is trusted."""
    if missing := sorted(_NEEDED - set(content)):
        yield f"it lacks {', '.join(missing)}"
        return  # the rest needs them
    if not content["shards"]:
        yield "it has no shards"
    for kind in ("settings", "source"):
        if not isinstance(content[kind], dict):
            yield f"{kind}={content[kind]!r}"
    for value in _list(content["excluded"]):
        if not isinstance(value, str) or not _HASH.fullmatch(value):
            yield f"excluded={content['excluded']!r}"
    tile, part = content["settings"].get("tile"), content["part"]
    if not _is_whole(tile, 16, LARGEST_TILE) or tile % 16:
        yield f"tile={tile!r}"
    if not isinstance(part, list) or len(part) != 2 or not _is_whole(part[1], 1, 10**6):
        yield f"part={part!r}"
    if not _is_whole(part[0], 0, part[1] - 1):
        yield f"part={part!r}"
    for key, named in (("shards", "name"), (VALIDATION, "file"), (PHOTOGRAPHS, "file")):
        for given in _list(content[key]):
            item = given if isinstance(given, dict) else {}
            file, digest = item.get(named), item.get("sha256")
            if not isinstance(file, str) or not _FILE.fullmatch(file) or ".." in file:
                yield f"{file!r} is no file of the set"
            if not isinstance(digest, str) or not _SHA256.fullmatch(digest):
                yield f"{file} has the SHA-256 {digest!r}"
            if key == "shards" and not _is_whole(item.get("tiles"), 1, _MOST_TILES):
                yield f"{file} has {item.get('tiles')} tiles"
            if key != "shards" and not isinstance(item.get("name"), str):
                yield f"{file} has no name"


def _list(items: Any) -> list[Any]:
    return items if isinstance(items, list) else [items]


def _is_whole(value: Any, least: int, most: int) -> bool:
    return type(value) is int and least <= value <= most
