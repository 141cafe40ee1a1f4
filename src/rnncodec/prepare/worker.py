"""What is done to one photograph, in any process: read, examined, cut, packed."""

import io
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from rnncodec.data.likeness import difference_hash
from rnncodec.data.photos import hash_fraction
from rnncodec.data.shards import Layout
from rnncodec.errors import DataError
from rnncodec.images.reading import Pixels, open_image, to_rgb
from rnncodec.prepare import examine
from rnncodec.prepare.cut import cut, shrink
from rnncodec.prepare.failures import CRASHED, DAMAGED, refuse_lost
from rnncodec.prepare.listing import Entry
from rnncodec.prepare.settings import Flaw, Settings
from rnncodec.prepare.sources import Source

EXCLUDED = "excluded"
PHOTOGRAPH_SIDE = 512
"""Photographs kept in one piece are cropped at the centre to at most this, as validation does."""


class Bars(NamedTuple):
    """Hash fractions below which a photograph may be one of those kept in one piece."""

    validation: float
    training: float


class Task(NamedTuple):
    """One image to do."""

    number: int
    entry: Entry
    bars: Bars


@dataclass
class Outcome:
    """What came of an image: tiles, or a reason why not.

    Attributes:
        number, name: which image it is.
        rejected: empty, or `damaged`, a flaw, ...
        reason: of the rejection, for people.
        held_out: it is for validation, and gives no tiles.
        noticed: flaws for which it was not refused.
        hash: perceptual, None of an image that was not decoded.
        members: its tiles as members of a shard.
        tiles: how many.
        photograph: a PNG file of its middle, if it may be one to keep.
    """

    number: int
    name: str
    rejected: str = ""
    reason: str = ""
    held_out: bool = False
    noticed: tuple[str, ...] = ()
    hash: int | None = None
    members: bytes = b""
    tiles: int = 0
    photograph: bytes | None = None

    def account(self) -> dict[str, Any]:
        """What the list of images says of it; what is not so is left out."""
        facts = {
            "image": self.number,
            "name": self.name,
            "tiles": self.tiles,
            "held_out": self.held_out,
            "noticed": list(self.noticed),
            "hash": None if self.hash is None else f"{self.hash:016x}",
            "rejected": self.rejected,
            "reason": self.reason,
        }
        kept = ("image", "name")
        return {key: value for key, value in facts.items() if key in kept or value}


class Workshop:
    """Makes outcomes of tasks; pickled to worker processes."""

    def __init__(self, source: Source, settings: Settings) -> None:
        self.source = source
        self.settings = settings
        self.layout = Layout(settings.tile)

    def __call__(self, tasks: list[Task]) -> list[Outcome]:
        """One outcome a task; none raises because of a picture.

        Raises:
            DataError: the source's storage failed, or it is gone.
        """
        return [self.one(task) for task in tasks]

    def crashed(self, task: Task) -> Outcome:
        """The outcome of an image that ended the process that decoded it."""
        reason = "the process that read it died twice (a bug in a decoder, or too little memory)"
        return Outcome(task.number, task.entry.name, CRASHED, reason)

    def one(self, task: Task) -> Outcome:
        """Read, examine and cut one image."""
        outcome = Outcome(task.number, task.entry.name)
        try:
            image = self._read(task.entry)
        except DataError as error:
            refuse_lost(error, self.source.folder())
            outcome.rejected, outcome.reason = DAMAGED, str(error)
            return outcome
        self._examine(image, outcome)
        if not outcome.rejected:
            self._cut(shrink(image, self.settings.resize), outcome, task.bars)
        return outcome

    def _read(self, entry: Entry) -> Pixels:
        if entry.problem:
            raise DataError(entry.problem)
        with open_image(self.source.open(entry), name=entry.name) as image:
            return to_rgb(image)

    def _examine(self, image: Pixels, outcome: Outcome) -> None:
        outcome.hash = difference_hash(image)
        found: dict[str, str] = {}
        height, width = image.shape[:2]
        if min(height, width) < max(self.settings.tile, self.settings.min_side):
            found[Flaw.SMALL] = f"{width}x{height} pixels"
        if examine.has_solid_border(image):
            found[Flaw.BORDER] = "a border of one colour on two opposite sides"
        if (measured := examine.blocking(image)) >= examine.BLOCKING:
            found[Flaw.BLOCKING] = f"jumps at JPEG's block edges are {measured:.2f} times others"
        refused = [flaw for flaw in found if flaw in self.settings.refuse]
        if not refused and min(height, width) < self.settings.tile:
            refused = [Flaw.SMALL]  # not one tile fits
        if refused:
            outcome.rejected, outcome.reason = str(refused[0]), found[refused[0]]
        outcome.noticed = tuple(str(flaw) for flaw in found if flaw not in refused)

    def _cut(self, image: Pixels, outcome: Outcome, bars: Bars) -> None:
        fraction = hash_fraction(outcome.name)
        outcome.held_out = fraction < self.settings.val_fraction
        if fraction < (bars.validation if outcome.held_out else bars.training):
            outcome.photograph = png(middle(image))
        if outcome.held_out:
            return
        if min(image.shape[:2]) < self.settings.tile:
            height, width = image.shape[:2]
            outcome.rejected = Flaw.SMALL
            outcome.reason = f"shrunk to {width}x{height} pixels, too narrow for a tile"
            outcome.photograph = None
            return
        tiles = cut(image, outcome.name, self.settings)
        outcome.tiles = len(tiles.pixels)
        outcome.members = self.layout.pack(outcome.number, tiles)


def middle(image: Pixels) -> Pixels:
    """The centre of an image, at most `PHOTOGRAPH_SIDE` high and wide."""
    height, width = (min(side, PHOTOGRAPH_SIDE) for side in image.shape[:2])
    top, left = (image.shape[0] - height) // 2, (image.shape[1] - width) // 2
    return np.ascontiguousarray(image[top : top + height, left : left + width])


def png(image: Pixels) -> bytes:
    """A PNG file, quickly made."""
    file = io.BytesIO()
    Image.fromarray(image).save(file, "PNG", compress_level=1)
    return file.getvalue()
