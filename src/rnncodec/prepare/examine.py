"""What may be wrong with a photograph that decodes: a twin, solid borders, heavy JPEG blocks."""

import numpy as np
from numpy.typing import NDArray

from rnncodec.data.likeness import NEAR
from rnncodec.images.reading import Pixels

SOLID_SHARE = 0.02
"""A border is this share of a side, at both of its ends, in lines of one colour."""

SOLID_LEVELS = 4
"""How much the values of a line of one colour may differ (JPEG does not keep them equal)."""

BLOCKING = 1.6
"""Jumps between neighbours at block edges, over those elsewhere, from which blocking is heavy."""

_BLOCK = 1 << 15  # hashes: 256 KiB, which fit in a processor's cache
_WINDOW = 1024  # pixels a side, from the middle, in which blocks are looked for


class Twins:
    """The hashes seen so far: 8 bytes an image, each new one compared with all of them.

    They lie in blocks: growing copies none of them, and comparing takes the room of one block
    beside them, however many there are.
    """

    def __init__(self) -> None:
        self._blocks: list[NDArray[np.uint64]] = []
        self._count = 0

    def has(self, value: int) -> bool:
        """Whether a hash within `NEAR` bits of this one was added."""
        wanted, left = np.uint64(value), self._count
        for block in self._blocks:
            differing = np.bitwise_count(block[:left] ^ wanted)
            if differing.min() <= NEAR:
                return True
            left -= _BLOCK
        return False

    def add(self, value: int) -> None:
        """Remember a hash."""
        number, place = divmod(self._count, _BLOCK)
        if number == len(self._blocks):
            self._blocks.append(np.empty(_BLOCK, np.uint64))
        self._blocks[number][place] = value
        self._count += 1


def has_solid_border(image: Pixels) -> bool:
    """Whether an opposite pair of sides has a frame of one colour (see `SOLID_SHARE`)."""
    return any(_framed(lines) for lines in (image, image.swapaxes(0, 1)))


def _framed(lines: Pixels) -> bool:
    depth = max(2, round(len(lines) * SOLID_SHARE))
    ends = np.concatenate([lines[:depth], lines[-depth:]])
    spread = ends.max(axis=1) - ends.min(axis=1)  # at most 255: it fits in 8 bits
    return bool((spread <= SOLID_LEVELS).all())


def blocking(image: Pixels) -> float:
    """Mean jump at the edges of an 8x8 grid over the median of that off it; 1 is no grid.

    The grid may begin anywhere (pictures get cropped), and must show both ways.
    """
    height, width = image.shape[:2]
    top, left = max(0, (height - _WINDOW) // 2), max(0, (width - _WINDOW) // 2)
    luma = image[top : top + _WINDOW, left : left + _WINDOW, 1].astype(np.int16)
    return min(_grid(luma), _grid(luma.T))


def _grid(luma: NDArray[np.int16]) -> float:
    if luma.shape[1] < 32:
        return 1.0
    jumps = np.abs(np.diff(luma, axis=1)).mean(axis=0)
    phases = np.array([jumps[phase::8].mean() for phase in range(8)])
    middle = float(np.median(phases))
    return float(phases.max()) / middle if middle > 0 else 1.0
