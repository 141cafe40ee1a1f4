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
    return content
