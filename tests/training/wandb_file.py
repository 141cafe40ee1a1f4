"""Reads a run's ``.wandb`` file: its framing by hand, its records with wandb's protobuf classes.

Seven bytes of header, then blocks of 32 KiB (the header counts to the first) of chunks:

    crc-32 of type and data (4, little endian) | length of data (2) | type (1) | data

A record is one FULL chunk, or FIRST, MIDDLE ..., LAST; what is left of a block that could hold no
chunk's head is zero.
"""

import json
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from wandb.proto.wandb_internal_pb2 import Record

HEADER = struct.pack("<4sHB", b":W&B", 0xBEE1, 0)
BLOCK = 32768
HEAD = struct.Struct("<IHB")
FULL, FIRST, MIDDLE, LAST = 1, 2, 3, 4


def payloads(content: bytes) -> Iterator[bytes]:
    """The bytes of each record."""
    assert content[: len(HEADER)] == HEADER, content[: len(HEADER)]
    position, parts = len(HEADER), list[bytes]()
    while position + HEAD.size <= len(content):
        left = BLOCK - position % BLOCK
        if left < HEAD.size:
            assert not any(content[position : position + left])
            position += left
            continue
        crc, length, kind = HEAD.unpack_from(content, position)
        data = content[position + HEAD.size :][:length]
        assert len(data) == length
        assert length <= left - HEAD.size
        assert crc == zlib.crc32(data, zlib.crc32(bytes([kind]))), f"byte {position}"
        assert (kind in (FULL, FIRST)) == (not parts), f"byte {position}: chunk out of place"
        position += HEAD.size + length
        parts.append(data)
        if kind in (FULL, LAST):
            yield b"".join(parts)
            parts.clear()
    assert not parts
    assert position == len(content)


class WandbFile:
    """What a run logged.

    Attributes:
        history: the rows, in order.
        summary, config: the last values.
        metrics: name -> what was defined of it.
        tags, group, job_type, project: of the run.
        exit_code: not 0 where it failed; None while it goes on.
        files: what the run refers to, relative to its ``files`` folder.
        artifacts: what the tables' artifacts hold, name -> where it waits to be uploaded.
    """

    def __init__(self, folder: Path) -> None:
        (path,) = folder.glob("run-*.wandb")
        self.history: list[dict[str, Any]] = []
        self.summary: dict[str, Any] = {}
        self.config: dict[str, Any] = {}
        self.metrics: dict[str, Any] = {}
        self.files: set[str] = set()
        self.artifacts: dict[str, Path] = {}
        self.tags: list[str] = []
        self.exit_code: int | None = None
        self.count = 0
        for payload in payloads(path.read_bytes()):
            self.count += 1
            self.take(Record.FromString(payload))

    def take(self, record: Record) -> None:
        """Add one record; those of other kinds say nothing about what was logged."""
        kind = record.WhichOneof("record_type")
        if kind == "history":
            self.history.append(items(record.history.item))
        elif kind == "summary":
            self.summary |= items(record.summary.update)
        elif kind == "config":
            self.config |= items(record.config.update)
        elif kind == "metric":
            self.metrics[record.metric.name or record.metric.glob_name] = record.metric
        elif kind == "files":
            self.files |= {file.path for file in record.files.files}
        elif kind == "artifact":
            contents = record.artifact.manifest.contents
            self.artifacts |= {entry.path: Path(entry.local_path) for entry in contents}
        elif kind == "exit":
            self.exit_code = int(record.exit.exit_code)
        elif kind == "run":
            self.config |= items(record.run.config.update)
            self.tags = list(record.run.tags)
            self.group, self.job_type = record.run.run_group, record.run.job_type
            self.project = record.run.project

    def rows(self, key: str) -> list[dict[str, Any]]:
        """The history rows that have ``key``."""
        return [row for row in self.history if key in row]


def items(found: Any) -> dict[str, Any]:
    """Key-value records as a dictionary; nested keys joined by dots."""
    return {item.key or ".".join(item.nested_key): json.loads(item.value_json) for item in found}
