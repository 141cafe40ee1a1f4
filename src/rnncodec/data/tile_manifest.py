"""The manifest of a prepared tile set (see docs/DATA.md): read, and trusted in nothing."""

import json
import re
from pathlib import Path
from typing import Any

from rnncodec.errors import DataError

NAME = "manifest.json"
FORMAT = "rnncodec tiles 1"
VALIDATION, PHOTOGRAPHS = "validation", "photographs"
"""Keys, and folders, of the photographs kept in one piece: held out, and not."""

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
    if problem := _problem(content):
        raise DataError(f"{name} is damaged: {problem}; prepare the set again")
    return content


def _problem(content: dict[str, Any]) -> str:
    """What is missing or cannot be, in one manifest."""
    if missing := sorted(_NEEDED - set(content)):
        return f"it lacks {', '.join(missing)}"
    if not content["shards"]:
        return "it has no shards"
    for kind in ("settings", "source"):
        if not isinstance(content[kind], dict):
            return f"{kind}={content[kind]!r}"
    if not all(
        isinstance(one, str) and _HASH.fullmatch(one) for one in _list(content["excluded"])
    ):
        return f"excluded={content['excluded']!r}"
    tile, part = content["settings"].get("tile"), content["part"]
    if not _whole(tile, 16, LARGEST_TILE) or tile % 16:
        return f"tile={tile!r}"
    if not (isinstance(part, list) and len(part) == 2 and _whole(part[1], 1, 10**6)):
        return f"part={part!r}"
    if not _whole(part[0], 0, part[1] - 1):
        return f"part={part!r}"
    return _shards_problem(content["shards"]) or _pictures_problem(content)


def _shards_problem(shards: Any) -> str:
    for shard in _dicts(shards):
        if problem := _file_problem(shard, "name"):
            return problem
        if not _whole(shard.get("tiles"), 1, _MOST_TILES):
            return f"{shard['name']} has {shard.get('tiles')} tiles"
    return ""


def _pictures_problem(content: dict[str, Any]) -> str:
    for key in (VALIDATION, PHOTOGRAPHS):
        for item in _dicts(content[key]):
            if problem := _file_problem(item, "file"):
                return problem
            if not isinstance(item.get("name"), str):
                return f"{item['file']} has no name"
    return ""


def _file_problem(item: dict[str, Any], key: str) -> str:
    name, digest = item.get(key), item.get("sha256")
    if not isinstance(name, str) or not _FILE.fullmatch(name) or ".." in name:
        return f"{name!r} is no file of the set"
    if not isinstance(digest, str) or not _SHA256.fullmatch(digest):
        return f"{name} has the SHA-256 {digest!r}"
    return ""


def _dicts(items: Any) -> list[dict[str, Any]]:
    """The items; what is none becomes an empty one, in which everything is missing."""
    return [item if isinstance(item, dict) else {} for item in _list(items)]


def _list(items: Any) -> list[Any]:
    return items if isinstance(items, list) else [items]


def _whole(value: Any, least: int, most: int) -> bool:
    return type(value) is int and least <= value <= most
