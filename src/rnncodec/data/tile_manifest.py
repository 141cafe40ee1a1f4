"""The manifest of a prepared tile set (see docs/DATA.md)."""

import json
from pathlib import Path
from typing import Any

from rnncodec.errors import DataError

NAME = "manifest.json"
FORMAT = "rnncodec tiles 1"
VALIDATION, PHOTOGRAPHS = "validation", "photographs"
"""Keys, and folders, of the photographs kept in one piece: held out, and not."""


def read(path: Path) -> dict[str, Any]:
    """A manifest.

    Raises:
        DataError: there is none, or it is none.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise DataError(
            f"cannot read {path}: {error.strerror}; tiles are made with `rnncodec prepare`"
        ) from error
    except ValueError as error:
        raise DataError(f"{path} is no manifest of tiles: {error}") from error
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        found = content.get("format") if isinstance(content, dict) else type(content).__name__
        raise DataError(f"{path}: expected the format {FORMAT!r}, found {found!r}")
    if problem := _problem(content):
        raise DataError(f"{path} is damaged: {problem}; prepare the set again")
    return content


def _problem(content: dict[str, Any]) -> str:
    """What is missing or cannot be, in one manifest."""
    needed = {"settings", "excluded", "part", "source", "shards", VALIDATION, PHOTOGRAPHS}
    if missing := sorted(needed - set(content)):
        return f"it lacks {', '.join(missing)}"
    if not content["shards"]:
        return "it has no shards"
    files = [shard.get("name") for shard in content["shards"]]
    files += [item.get("file") for key in (VALIDATION, PHOTOGRAPHS) for item in content[key]]
    for name in files:
        if not isinstance(name, str) or name.startswith("/") or ".." in Path(name).parts:
            return f"{name!r} is no file of the set"
    for shard in content["shards"]:
        if not isinstance(shard.get("tiles"), int) or shard["tiles"] < 1:
            return f"{shard['name']} has {shard.get('tiles')} tiles"
    return ""
