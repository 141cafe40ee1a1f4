"""Small JSON files of one disk page that are overwritten in place.

Where a disk is full, no file can be replaced by a new one, but a page that it already has can be
written: so a run can still record that the disk was full.
"""

import json
import os
import time
from pathlib import Path
from typing import Any

from rnncodec.errors import StorageError
from rnncodec.machine import storage

PAGE = 4096
LONGEST = 1500
"""Bytes of a text; with every character escaped, still less than a page."""


def write_page(path: Path, fields: dict[str, Any]) -> None:
    """Write fields, in place if the file exists; long texts are cut.

    Raises:
        StorageError: the file does not exist yet and cannot be made.
    """
    kept = {key: cut(value) for key, value in fields.items()}
    data = json.dumps(kept, ensure_ascii=False).encode()
    assert len(data) < PAGE, "a page holds few and short fields"
    data = data.ljust(PAGE - 1) + b"\n"
    try:
        with path.open("r+b", buffering=0) as file:
            os.pwrite(file.fileno(), data, 0)
    except FileNotFoundError:
        storage.write_bytes(path, data)
    except OSError as error:
        raise StorageError(f"{path}: could not be written ({error.strerror})") from error


def cut(value: Any) -> Any:
    """The beginning of a text; what is no text as it is."""
    if not isinstance(value, str):
        return value
    printable = "".join(c if c.isprintable() else " " for c in value)
    return printable.encode("utf-8", "replace")[:LONGEST].decode("utf-8", "ignore")


def read_page(path: Path) -> dict[str, Any] | None:
    """The fields; None if there is no such file, or it is damaged."""
    for _ in range(3):  # a reader may see a page that is being written
        try:
            fields = json.loads(path.read_bytes())
        except OSError:
            return None
        except ValueError:
            time.sleep(0.01)
        else:
            return fields if isinstance(fields, dict) else None
    return None
