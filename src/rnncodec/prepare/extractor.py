"""What is done to one photograph, in any process: read, checked, cut, packed."""

import io
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from rnncodec.data.perceptual_hash import difference_hash
from rnncodec.data.photos import hash_fraction
from rnncodec.data.random_crop import centre_crop
from rnncodec.data.shards import Layout
from rnncodec.errors import DataError
from rnncodec.images.reading import Pixels, open_image, to_rgb
from rnncodec.prepare.listing import Entry
from rnncodec.prepare.settings import CRASHED, DAMAGED, Flaw, Settings
from rnncodec.prepare.sources import Source, refuse_lost
from rnncodec.prepare.tiling import cut_tiles, shrink_to_fit

EXCLUDED = "excluded"
PHOTOGRAPH_SIDE = 512
"""Whole photographs are cropped at the centre to at most this, as validation does."""

SOLID_SHARE = 0.02
"""A border is this share of a side, at both of its ends, in lines of one colour."""
SOLID_LEVELS = 4
"""How much the values of a line of one colour may differ (JPEG does not keep them equal)."""
BLOCKING = 1.6
"""Jumps between neighbours at block edges, over those elsewhere, from which blocking is heavy."""
_WINDOW = 1024  # pixels a side, from the middle, in which blocks are looked for


class Thresholds(NamedTuple):
    """Hash fractions below which a photograph may be one of those stored whole."""

    validation: float
    training: float


class Task(NamedTuple):
    """One image to do."""

    number: int
    entry: Entry
    thresholds: Thresholds


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
        photograph: a PNG file of its middle, if it may be one to store whole.
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

    def record(self) -> dict[str, Any]:
        """What the list of images says of it; what is not so is left out."""
        facts = {
            "tiles": self.tiles,
            "held_out": self.held_out,
            "noticed": list(self.noticed),
            "hash": None if self.hash is None else f"{self.hash:016x}",
            "rejected": self.rejected,
            "reason": self.reason,
        }
        given = {key: value for key, value in facts.items() if value}
        return {"image": self.number, "name": self.name, **given}

    def reject(self, kind: str, reason: str) -> None:
        """Take the image back: it gives nothing."""
        self.rejected, self.reason = str(kind), reason
        self.held_out, self.photograph = False, None
        self.members, self.tiles = b"", 0


class TileExtractor:
    """Makes outcomes of tasks; pickled to worker processes."""

    def __init__(self, source: Source, settings: Settings) -> None:
        self.source = source
        self.settings = settings
        self.layout = Layout(settings.tile)

    def __call__(self, task: Task) -> Outcome:
        """Read, check and cut one image; a damaged one is an outcome, too.

        Raises:
            DataError: the source's storage failed, or it is gone.
        """
        outcome = Outcome(task.number, task.entry.name)
        try:
            image = self._read(task.entry)
        except DataError as error:
            refuse_lost(error, self.source.folder())
            outcome.reject(DAMAGED, str(error))
            return outcome
        self._check(image, outcome)
        if not outcome.rejected:
            self._cut(shrink_to_fit(image, self.settings.resize), outcome, task.thresholds)
        return outcome

    def crashed(self, task: Task) -> Outcome:
        """The outcome of an image that ended the process that decoded it."""
        reason = "the process that read it died twice (a bug in a decoder, or too little memory)"
        return Outcome(task.number, task.entry.name, CRASHED, reason)

    def _read(self, entry: Entry) -> Pixels:
        if entry.problem:
            raise DataError(entry.problem)
        with open_image(self.source.open(entry), name=entry.name) as image:
            return to_rgb(image)

    def _check(self, image: Pixels, outcome: Outcome) -> None:
        outcome.hash = difference_hash(image)
        found: dict[str, str] = {}
        height, width = image.shape[:2]
        if min(height, width) < max(self.settings.tile, self.settings.min_side):
            found[Flaw.SMALL] = f"{width}x{height} pixels"
        if has_solid_border(image):
            found[Flaw.BORDER] = "a border of one colour on two opposite sides"
        if (measured := blocking(image)) >= BLOCKING:
            found[Flaw.BLOCKING] = f"jumps at JPEG's block edges are {measured:.2f} times others"
        refused = [flaw for flaw in found if flaw in self.settings.refuse]
        if not refused and min(height, width) < self.settings.tile:
            refused = [Flaw.SMALL]  # not one tile fits
        if refused:
            outcome.reject(refused[0], found[refused[0]])
        outcome.noticed = tuple(str(flaw) for flaw in found if flaw not in refused)

    def _cut(self, image: Pixels, outcome: Outcome, thresholds: Thresholds) -> None:
        fraction = hash_fraction(outcome.name)
        outcome.held_out = fraction < self.settings.val_fraction
        narrow = min(image.shape[:2]) < self.settings.tile
        if narrow and not outcome.held_out:
            height, width = image.shape[:2]
            reason = f"shrunk to {width}x{height} pixels, too narrow for a tile"
            return outcome.reject(Flaw.SMALL, reason)
        if fraction < (thresholds.validation if outcome.held_out else thresholds.training):
            outcome.photograph = png(centre_crop(image, PHOTOGRAPH_SIDE))
        if not outcome.held_out:
            tiles = cut_tiles(image, outcome.name, self.settings)
            outcome.tiles = len(tiles.pixels)
            outcome.members = self.layout.pack(outcome.number, tiles)
        return None


def png(image: Pixels) -> bytes:
    """A PNG file, quickly made."""
    file = io.BytesIO()
    Image.fromarray(image).save(file, "PNG", compress_level=1)
    return file.getvalue()


def has_solid_border(image: Pixels) -> bool:
    """Whether an opposite pair of sides has a frame of one colour (see `SOLID_SHARE`)."""
    for lines in (image, image.swapaxes(0, 1)):
        depth = max(2, round(len(lines) * SOLID_SHARE))
        ends = np.concatenate([lines[:depth], lines[-depth:]])
        spread = ends.max(axis=1) - ends.min(axis=1)  # at most 255: it fits in 8 bits
        if (spread <= SOLID_LEVELS).all():
            return True
    return False


def blocking(image: Pixels) -> float:
    """Mean jump at the edges of an 8x8 grid over the median of that off it; 1 is no grid.

    The grid may begin anywhere (pictures get cropped), and must show both ways.
    """

    def grid(luma: NDArray[np.int16]) -> float:
        if luma.shape[1] < 32:
            return 1.0
        jumps = np.abs(np.diff(luma, axis=1)).mean(axis=0)
        phases = np.array([jumps[phase::8].mean() for phase in range(8)])
        median = float(np.median(phases))
        return float(phases.max()) / median if median > 0 else 1.0

    luma = centre_crop(image, _WINDOW)[..., 1].astype(np.int16)
    return min(grid(luma), grid(luma.T))
