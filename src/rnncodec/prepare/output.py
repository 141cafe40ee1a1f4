"""What a run writes: shards of tiles, some whole photographs, and the manifest with its lists."""

import hashlib
import heapq
import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

from rnncodec.data.photos import hash_fraction
from rnncodec.data.shards import END, Layout
from rnncodec.data.tile_manifest import FORMAT, NAME
from rnncodec.errors import DataError
from rnncodec.machine.storage import replacing, sha256_of, write_bytes, write_text
from rnncodec.prepare.extractor import Outcome
from rnncodec.prepare.journal import Cursor, Journal, Shard
from rnncodec.prepare.listing import length_and_hash
from rnncodec.prepare.settings import Settings

IMAGES, REJECTED, SUMS = "images.jsonl", "rejected.jsonl", "SHA256SUMS"
_PHOTOGRAPH = re.compile(r"[0-9a-f]{32}\.png")


class ShardWriter:
    """Collects members and writes them as shards of a fixed number of tiles."""

    def __init__(self, journal: Journal, settings: Settings) -> None:
        self.journal = journal
        self.layout = Layout(settings.tile)
        self.room = settings.shard_tiles * self.layout.member
        self._parts: list[bytes] = []
        self._bytes = 0
        self._skip = journal.cursor.tiles * self.layout.member

    def add(self, place: int, outcome: Outcome) -> None:
        """Append an image's tiles; each time a shard is full it is written.

        Raises:
            StorageError: it could not be written.
        """
        members, start = outcome.members, self._skip
        self._skip = 0
        while len(members) - start >= self.room - self._bytes:
            stop = start + self.room - self._bytes
            self._parts.append(members[start:stop])
            whole = stop == len(members)
            self._write(Cursor(place + 1) if whole else Cursor(place, stop // self.layout.member))
            start = stop
        if start < len(members):
            self._parts.append(members[start:])
            self._bytes += len(members) - start

    def finish(self, images: int) -> None:
        """Write the last shard, which may be smaller; `images` are done in all."""
        if self._parts:
            self._write(Cursor(images))
        else:
            self.journal.commit(None, Cursor(images))

    def _write(self, cursor: Cursor) -> None:
        name = f"shard-{len(self.journal.shards):06d}.tar"
        digest, size = hashlib.sha256(), 0
        with replacing(self.journal.destination / name) as temporary, temporary.open("wb") as file:
            for part in (*self._parts, END):
                file.write(part)
                digest.update(part)
                size += len(part)
        tiles = (size - len(END)) // self.layout.member
        self._parts, self._bytes = [], 0
        self.journal.commit(Shard(name, tiles, size, digest.hexdigest()), cursor)


class PhotoSample:
    """The `most` photographs with the least hash fraction, as PNG files in a folder.

    Which they are depends on no order: offering one again, as a resumed run does, changes
    nothing.
    """

    def __init__(self, folder: Path, most: int) -> None:
        self.folder = folder
        self.most = most
        self._chosen: list[tuple[float, str]] = []  # a heap, the largest hash first

    @property
    def threshold(self) -> float:
        """The hash fraction below which a photograph will be chosen."""
        return -self._chosen[0][0] if len(self._chosen) == self.most else 1.0

    def add(self, name: str, data: bytes | None) -> None:
        """Offer a photograph; None if its file is there already.

        Raises:
            StorageError: it could not be written.
        """
        item = -hash_fraction(name), name
        if item in self._chosen or -item[0] >= self.threshold:
            return
        if data is not None:
            write_bytes(self._file(name), data)
        heapq.heappush(self._chosen, item)
        if len(self._chosen) > self.most:
            _, dropped = heapq.heappop(self._chosen)
            self._file(dropped).unlink(missing_ok=True)

    def listed(self) -> list[dict[str, Any]]:
        """Name, file and SHA-256 of each, by name; what a killed run has left is removed."""
        files = {self._file(name): name for name in sorted(name for _, name in self._chosen)}
        for path in self.folder.glob("*.png"):
            if path not in files and _PHOTOGRAPH.fullmatch(path.name):
                path.unlink()
        return [
            {"name": name, "file": f"{self.folder.name}/{path.name}", "sha256": sha256_of(path)}
            for path, name in files.items()
        ]

    def _file(self, name: str) -> Path:
        digest = hashlib.blake2b(name.encode("utf-8", "surrogateescape"), digest_size=16)
        return self.folder / f"{digest.hexdigest()}.png"


def write_manifest(
    journal: Journal, plan: dict[str, Any], photographs: dict[str, list[dict[str, Any]]]
) -> None:
    """Write the lists, the sums for `sha256sum -c`, and the manifest, which comes last.

    Raises:
        DataError: no tile came of the images.
        StorageError: one could not be written.
    """
    folder = journal.destination
    counts = write_lists(journal)
    if not journal.shards:
        raise DataError(
            f"no tile came of {counts['images']} images: rejected {counts['rejected'] or 'none'}, "
            f"held out {counts['held_out']}; see --filter, --min-side and --val-fraction "
            f"({journal.folder} has the reasons)"
        )
    images, digest = length_and_hash(journal.listing)
    lists = {name: sha256_of(folder / name) for name in (IMAGES, REJECTED)}
    content = {
        "format": FORMAT,
        **plan,
        "source": plan["source"]
        | json.loads(journal.source_digest.read_text())
        | {"images": images, "listing_sha256": digest},
        "counts": counts,
        "shards": [shard.__dict__ for shard in journal.shards],
        **photographs,
        "lists": lists,
    }
    sums = {shard.name: shard.sha256 for shard in journal.shards} | lists
    sums |= {item["file"]: item["sha256"] for items in photographs.values() for item in items}
    write_text(folder / SUMS, "".join(f"{value}  {name}\n" for name, value in sums.items()))
    write_text(folder / NAME, json.dumps(content, indent=1) + "\n")


def write_lists(journal: Journal) -> dict[str, Any]:
    """Write what became of each image, and the rejected ones apart; count them."""
    folder = journal.destination
    totals: Counter[str] = Counter()
    rejected: Counter[str] = Counter()
    noticed: Counter[str] = Counter()
    with replacing(folder / IMAGES) as every, replacing(folder / REJECTED) as some:  # noqa: SIM117
        with every.open("w", encoding="ascii") as images, some.open("w", encoding="ascii") as out:
            for record in journal.images():
                line = json.dumps(record) + "\n"
                images.write(line)
                if "rejected" in record:
                    out.write(line)
                    rejected[record["rejected"]] += 1
                noticed.update(record.get("noticed", ()))
                totals["images"] += 1
                totals["held_out"] += record.get("held_out", False)
                totals["used"] += "tiles" in record
                totals["tiles"] += record.get("tiles", 0)
    kinds = {"rejected": dict(sorted(rejected.items())), "noticed": dict(sorted(noticed.items()))}
    return {key: totals[key] for key in ("images", "used", "held_out", "tiles")} | kinds
