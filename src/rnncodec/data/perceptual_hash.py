"""Difference hashes: 64 bits of a picture that say whether two are nearly the same."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from rnncodec.images.reading import Pixels

NEAR = 3
"""Perceptual hashes that differ in at most this many of 64 bits are those of near-duplicates."""

_BLOCK = 1 << 15  # hashes: 256 KiB, which fit in a processor's cache


def difference_hash(image: Pixels) -> int:
    """64 bits: whether each cell of a 9x8 grey thumbnail is darker than its right neighbour.

    Scaling, recompression and small changes of colour leave nearly all bits as they are.

    >>> ramp = np.repeat(np.arange(0, 90, dtype=np.uint8)[None, :, None], 40, 0).repeat(3, 2)
    >>> hex(difference_hash(ramp))
    '0xffffffffffffffff'
    """
    grey = Image.fromarray(image).convert("L").resize((9, 8), Image.Resampling.BOX)
    cells = np.asarray(grey)
    return int.from_bytes(np.packbits(cells[:, :-1] < cells[:, 1:]).tobytes(), "big")


class NearDuplicateIndex:
    """The hashes of images seen so far, 8 bytes each; a new one is compared with all of them.

    In blocks: growing copies no hash, and comparing takes the room of one block, however many
    there are.
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
        """Add a hash."""
        number, place = divmod(self._count, _BLOCK)
        if number == len(self._blocks):
            self._blocks.append(np.empty(_BLOCK, np.uint64))
        self._blocks[number][place] = value
        self._count += 1
