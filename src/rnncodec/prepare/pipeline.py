"""A whole run: list, cut, write shards of a fixed size, say in a manifest what was done.

Images are taken in the order of the listing and their tiles written in that order, so the bytes
depend on nothing else: neither on the number of processes nor on how often the run was killed.
"""

import json
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from rnncodec.data import tile_manifest
from rnncodec.data.perceptual_hash import NearDuplicateIndex, difference_hash
from rnncodec.errors import ConfigError, DataError
from rnncodec.images.reading import find_images, read_image
from rnncodec.machine.pool import ProcessPool
from rnncodec.machine.storage import write_text
from rnncodec.prepare import output
from rnncodec.prepare.destination import (
    part_folder,
    refuse_changed,
    refuse_foreign,
    refuse_inside,
    remove_leftovers,
)
from rnncodec.prepare.extractor import EXCLUDED, Outcome, Task, Thresholds, TileExtractor
from rnncodec.prepare.journal import Journal, refuse_other
from rnncodec.prepare.listing import (
    Entry,
    SourceDigest,
    counted,
    length_and_hash,
    read_listing,
    write_listing,
)
from rnncodec.prepare.progress import OnProgress, Progress
from rnncodec.prepare.settings import CRASHED, DAMAGED, MAX_BAD, Flaw, Settings, made_with
from rnncodec.prepare.sources import Source

CHUNK = 4
"""Images handed to a process at a time: enough that this costs nothing beside the work."""

FEW = 100
"""Fewer bad images than this never end a run."""


def prepare(
    source: Source,
    destination: Path,
    settings: Settings,
    *,
    workers: int | None = 0,
    exclude: Path | None = None,
    note: str = "",
    max_bad: float = MAX_BAD,
    on_progress: OnProgress = lambda _: None,
) -> Path:
    """Make a tile set, or resume making it, or see that it is made; its manifest.

    With a part of several, the set is `part-<k>-of-<n>` in the destination. `note` goes into the
    manifest: where the pictures come from, under which licence. More damaged images than the share
    `max_bad` (and at least 100) end the run; with a larger one it resumes. `workers`: see
    `ProcessPool`.

    Raises:
        ConfigError: the destination holds something made otherwise, or from what the source was
            before, or files of another origin; it lies in the source, or the source in it.
        DataError: the source, or too much of it, cannot be read; there is no image in it; no tile
            came of it.
        StorageError: the disk is full, ...; another process writes there.
    """
    if not 0 <= max_bad <= 1:
        raise ConfigError(f"--max-bad {max_bad}: expected from 0 to 1")
    refuse_inside(destination, source)
    destination = part_folder(destination, settings.part)
    refuse_inside(destination, source)
    excluded = [] if exclude is None else excluded_hashes(exclude)
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
        remove_leftovers(destination)
        return finished
    refuse_foreign(destination)
    plan["made_with"] = made_with()  # what is finished stays valid whatever comes later
    with Journal(destination) as journal:
        journal.check(plan | {"place": source.place()})
        # an empty one must not outlive the pictures that were put there since
        if not journal.listing.exists() or not journal.listing.stat().st_size:
            write_listing(journal.listing, listed(source, journal, on_progress))
        pipeline = Pipeline(journal, settings, excluded, max_bad=max_bad)
        pipeline.run(source, workers, on_progress)
        samples = (pipeline.validation, pipeline.training)
        output.write_manifest(journal, plan, {one.folder.name: one.listed() for one in samples})
        journal.remove()
    return finished


def excluded_hashes(folder: Path) -> list[int]:
    """Perceptual hashes of all pictures in a folder, in order of their values.

    Raises:
        DataError: there is no picture, or one that cannot be read.
    """
    return sorted({difference_hash(read_image(path)) for path in find_images(folder)})


def listed(source: Source, journal: Journal, on_progress: OnProgress) -> Iterator[Entry]:
    """All images of a source; then its digest is written."""

    def on_count(count: int) -> None:
        on_progress(Progress(0, listed=count))

    digest = SourceDigest()
    items = (digest.add(item) for item in source.items(on_count))
    yield from counted((entry for item in items for entry in source.entries(item)), on_count)
    write_text(journal.source_digest, json.dumps(digest.plain()))


class Pipeline:
    """The images of one part, from the listing to the shards."""

    def __init__(
        self, journal: Journal, settings: Settings, excluded: list[int], *, max_bad: float
    ) -> None:
        self.journal = journal
        self.settings = settings
        self.max_bad = max_bad
        self.excluded, self.seen = NearDuplicateIndex(), NearDuplicateIndex()
        for value in excluded:
            self.excluded.add(value)
        folder, most = journal.destination, settings.photographs
        self.validation = output.PhotoSample(folder / tile_manifest.VALIDATION, most)
        self.training = output.PhotoSample(folder / tile_manifest.PHOTOGRAPHS, most)
        images, _ = length_and_hash(journal.listing)
        if not images:
            raise DataError("the source has no picture in it")
        number, count = settings.part
        self.progress = Progress(len(range(number, images, count)))

    def run(self, source: Source, workers: int | None, on_progress: OnProgress) -> None:
        """Do all that is not done yet."""
        for record in self.journal.replay():
            self._replay(record)
        self.progress.resumed = self.progress.done
        on_progress(self.progress)
        writer = output.ShardWriter(self.journal, self.settings)
        extractor = TileExtractor(source, self.settings)
        with ProcessPool(extractor, workers, chunk=CHUNK, crashed=extractor.crashed) as pool:
            first = self.journal.cursor.place
            for place, outcome in enumerate(pool.ordered(self._tasks()), first):
                if place >= self.progress.done:  # else a shard ended within this image
                    self._check_seen(outcome)
                    self.journal.append(outcome.record())
                    self._count(outcome)
                    if outcome.rejected in (DAMAGED, CRASHED):
                        refuse_many(self.progress, self.max_bad, outcome.reason)
                writer.add(place, outcome)
                on_progress(self.progress)
        writer.finish(self.progress.done)

    def _tasks(self) -> Iterator[Task]:
        entries = read_listing(self.journal.listing, self.settings.part)
        for number, entry in islice(entries, self.journal.cursor.place, None):
            thresholds = Thresholds(self.validation.threshold, self.training.threshold)
            yield Task(number, entry, thresholds)

    def _check_seen(self, outcome: Outcome) -> None:
        """Decide what takes the images in their order: whether one was seen before."""
        if outcome.hash is None or outcome.rejected:
            return
        if self.excluded.has(outcome.hash):
            outcome.reject(EXCLUDED, "nearly the same as a picture of --exclude")
        elif not self.seen.has(outcome.hash):
            self.seen.add(outcome.hash)
        elif Flaw.DUPLICATE in self.settings.refuse:
            outcome.reject(Flaw.DUPLICATE, "nearly the same as an earlier picture")
        else:
            outcome.noticed = (*outcome.noticed, str(Flaw.DUPLICATE))
        if outcome.photograph is not None:
            sample = self.validation if outcome.held_out else self.training
            sample.add(outcome.name, outcome.photograph)

    def _count(self, outcome: Outcome) -> None:
        self.progress.done += 1
        self.progress.tiles += outcome.tiles
        if outcome.rejected:
            self.progress.rejected[outcome.rejected] += 1

    def _replay(self, record: dict[str, Any]) -> None:
        """Restore what an image left behind that an earlier process has done."""
        outcome = Outcome(record["image"], record["name"], record.get("rejected", ""))
        outcome.tiles = record.get("tiles", 0)
        self._count(outcome)
        if not outcome.rejected:
            if Flaw.DUPLICATE not in record.get("noticed", ()):  # comparing again takes long
                self.seen.add(int(record["hash"], 16))
            sample = self.validation if "held_out" in record else self.training
            sample.add(outcome.name, None)


def refuse_many(progress: Progress, max_bad: float, last: str) -> None:
    """Stop where more images failed than may; what is not committed is tried again.

    Raises:
        DataError: at least `FEW` images, and more than the share of all, are bad.
    """
    counts = [(kind, progress.rejected[kind]) for kind in (DAMAGED, CRASHED)]
    bad = sum(count for _, count in counts)
    if bad < FEW or bad <= max_bad * progress.images:
        return
    kinds = ", ".join(f"{count:,} {kind}" for kind, count in counts if count)
    raise DataError(
        f"{bad:,} of {progress.images:,} images could not be used ({kinds}), more than --max-bad "
        f"{max_bad:g} allows; the last one: {last}. If the source was away, repeat the command: "
        "the images since the last finished shard are tried again. If they are all damaged, "
        "repeat it with a larger --max-bad"
    )
