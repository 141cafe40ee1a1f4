"""A whole run: list, cut, write shards of a fixed size, say in a manifest what was done.

Images are taken in the order of the listing and their tiles written in that order, so the bytes
depend on nothing else: neither on the number of processes nor on how often the run was killed.
"""

import hashlib
import json
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from rnncodec.data import tile_manifest
from rnncodec.data.likeness import difference_hash
from rnncodec.data.shards import END, Layout
from rnncodec.errors import DataError
from rnncodec.images.reading import find_images, read_image
from rnncodec.machine.storage import replacing, write_text
from rnncodec.prepare import manifest
from rnncodec.prepare.destination import (
    clear,
    place_of,
    refuse_changed,
    refuse_foreign,
    refuse_inside,
)
from rnncodec.prepare.examine import Twins
from rnncodec.prepare.failures import CRASHED, DAMAGED, MAX_BAD, refuse_many, require_share
from rnncodec.prepare.keep import Keep
from rnncodec.prepare.ledger import Begin, Ledger, Shard, refuse_other
from rnncodec.prepare.listing import (
    Entry,
    Outline,
    counted,
    length_and_hash,
    read_listing,
    write_listing,
)
from rnncodec.prepare.progress import Progress, Report
from rnncodec.prepare.settings import Flaw, Settings, made_with
from rnncodec.prepare.sources import Source
from rnncodec.prepare.team import Team
from rnncodec.prepare.worker import EXCLUDED, Bars, Outcome, Task, Workshop


def prepare(
    source: Source,
    destination: Path,
    settings: Settings,
    *,
    workers: int = 0,
    exclude: Path | None = None,
    note: str = "",
    max_bad: float = MAX_BAD,
    report: Report = lambda _: None,
) -> Path:
    """Make a tile set, or go on making it, or see that it is made; its manifest.

    With a part of several, the set is `part-<k>-of-<n>` in the destination. `note` goes into the
    manifest: where the pictures come from, under which licence. More damaged images than the share
    `max_bad` (and at least 100) end the run; with a larger one it goes on.

    Raises:
        ConfigError: the destination holds something made otherwise, or from what the source was
            before, or files of another origin; it lies in the source, or the source in it.
        DataError: the source, or too much of it, cannot be read; there is no image in it; no tile
            came of it.
        StorageError: the disk is full, ...; another process writes there.
    """
    require_share(max_bad)
    refuse_inside(destination, source)
    destination = place_of(destination, settings.part)
    refuse_inside(destination, source)
    excluded = excluded_hashes(exclude)
    plan = {
        "source": source.describe() | ({"note": note} if note else {}),
        "settings": settings.plain(),
        "excluded": [f"{value:016x}" for value in excluded],
        "part": list(settings.part),
    }
    finished = destination / tile_manifest.NAME
    if finished.exists():
        content = tile_manifest.read(finished)
        refuse_other(content, plan, destination)
        refuse_changed(content["source"], source, destination)
        clear(destination)
        return finished
    refuse_foreign(destination)
    plan["made_with"] = made_with()  # what is finished stays valid whatever comes later
    with Ledger(destination) as ledger:
        ledger.check(plan | {"place": source.place()})
        # an empty one must not outlive the pictures that were put there since
        if not ledger.listing.exists() or not ledger.listing.stat().st_size:
            write_listing(ledger.listing, listed(source, ledger, report))
        run = Run(ledger, settings, excluded, max_bad=max_bad)
        run.cut(source, workers, report)
        manifest.write(ledger, plan, run.kept())
        ledger.remove()
    return finished


def listed(source: Source, ledger: Ledger, report: Report) -> Iterator[Entry]:
    """All images of a source; then its outline is written."""

    def tell(count: int) -> None:
        report(Progress(0, listed=count))

    outline = Outline()
    items = (outline.add(item) for item in source.items(tell))
    yield from counted((entry for item in items for entry in source.entries(item)), tell)
    write_text(ledger.outline, json.dumps(outline.plain()))


class Run:
    """The images of one part, from the listing to the shards."""

    def __init__(
        self, ledger: Ledger, settings: Settings, excluded: list[int], *, max_bad: float = MAX_BAD
    ) -> None:
        self.ledger = ledger
        self.settings = settings
        self.max_bad = max_bad
        self.excluded = Twins()
        for value in excluded:
            self.excluded.add(value)
        self.twins = Twins()
        folder, most = ledger.destination, settings.photographs
        self.validation = Keep(folder / tile_manifest.VALIDATION, most)
        self.training = Keep(folder / tile_manifest.PHOTOGRAPHS, most)
        images, _ = length_and_hash(ledger.listing)
        if not images:
            raise DataError("the source has no picture in it")
        number, count = settings.part
        self.progress = Progress(len(range(number, images, count)))

    def kept(self) -> dict[str, list[dict[str, Any]]]:
        """The photographs kept in one piece."""
        return {
            tile_manifest.VALIDATION: self.validation.listed(),
            tile_manifest.PHOTOGRAPHS: self.training.listed(),
        }

    def cut(self, source: Source, workers: int, report: Report) -> None:
        """Do all that is not done yet."""
        for fact in self.ledger.resume():
            self._remember(fact)
        self.progress.resumed = self.progress.done
        report(self.progress)
        writer = ShardWriter(self.ledger, self.settings)
        with Team(Workshop(source, self.settings), workers) as team:
            for place, outcome in enumerate(team.results(self._tasks()), self.ledger.begin.place):
                if place >= self.progress.done:  # else a shard ended within this image
                    self._judge(outcome)
                    self.ledger.note(outcome)
                    self._count(outcome)
                    if outcome.rejected in (DAMAGED, CRASHED):
                        refuse_many(self.progress, self.max_bad, outcome.reason)
                writer.add(place, outcome)
                report(self.progress)
        writer.finish(self.progress.done)

    def _tasks(self) -> Iterator[Task]:
        entries = read_listing(self.ledger.listing, self.settings.part)
        for number, entry in islice(entries, self.ledger.begin.place, None):
            yield Task(number, entry, Bars(self.validation.bar, self.training.bar))

    def _judge(self, outcome: Outcome) -> None:
        """What only the order of images can tell: whether one was seen before."""
        if outcome.hash is None or outcome.rejected:
            return
        twin = self.twins.has(outcome.hash)
        if self.excluded.has(outcome.hash):
            self._reject(outcome, EXCLUDED, "nearly the same as a picture of --exclude")
        elif twin and Flaw.DUPLICATE in self.settings.refuse:
            self._reject(outcome, Flaw.DUPLICATE, "nearly the same as an earlier picture")
        elif twin:
            outcome.noticed = (*outcome.noticed, str(Flaw.DUPLICATE))
        else:
            self.twins.add(outcome.hash)
        if outcome.photograph is not None:
            self._keep(held_out=outcome.held_out).add(outcome.name, outcome.photograph)

    def _keep(self, *, held_out: bool) -> Keep:
        return self.validation if held_out else self.training

    @staticmethod
    def _reject(outcome: Outcome, kind: str, reason: str) -> None:
        outcome.rejected, outcome.reason = str(kind), reason
        outcome.held_out, outcome.photograph = False, None
        outcome.members, outcome.tiles = b"", 0

    def _count(self, outcome: Outcome) -> None:
        self.progress.done += 1
        self.progress.tiles += outcome.tiles
        if outcome.rejected:
            self.progress.rejected[outcome.rejected] += 1

    def _remember(self, fact: dict[str, Any]) -> None:
        """Take up an image that an earlier process has done."""
        outcome = Outcome(fact["image"], fact["name"], fact.get("rejected", ""))
        outcome.tiles = fact.get("tiles", 0)
        self._count(outcome)
        if not outcome.rejected:
            if Flaw.DUPLICATE not in fact.get("noticed", ()):  # comparing again would take long
                self.twins.add(int(fact["hash"], 16))
            self._keep(held_out="held_out" in fact).add(outcome.name, None)


class ShardWriter:
    """Collects members and writes them as shards of a fixed number of tiles."""

    def __init__(self, ledger: Ledger, settings: Settings) -> None:
        self.ledger = ledger
        self.layout = Layout(settings.tile)
        self.room = settings.shard_tiles * self.layout.member
        self._parts: list[bytes] = []
        self._bytes = 0
        self._skip = ledger.begin.tiles * self.layout.member

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
            used_up = stop == len(members)
            self._write(Begin(place + 1) if used_up else Begin(place, stop // self.layout.member))
            start = stop
        if start < len(members):
            self._parts.append(members[start:])
            self._bytes += len(members) - start

    def finish(self, images: int) -> None:
        """Write the last shard, which may be smaller; `images` are done in all."""
        if self._parts:
            self._write(Begin(images))
        else:
            self.ledger.commit(None, Begin(images))

    def _write(self, begin: Begin) -> None:
        name = f"shard-{len(self.ledger.shards):06d}.tar"
        digest, size = hashlib.sha256(), 0
        with replacing(self.ledger.destination / name) as temporary, temporary.open("wb") as file:
            for part in (*self._parts, END):
                file.write(part)
                digest.update(part)
                size += len(part)
        tiles = (size - len(END)) // self.layout.member
        self._parts, self._bytes = [], 0
        self.ledger.commit(Shard(name, tiles, size, digest.hexdigest()), begin)


def excluded_hashes(folder: Path | None) -> list[int]:
    """Perceptual hashes of all pictures in a folder, in order of their values.

    Raises:
        DataError: there is no picture, or one that cannot be read.
    """
    if folder is None:
        return []
    return sorted({difference_hash(read_image(path)) for path in find_images(folder)})
