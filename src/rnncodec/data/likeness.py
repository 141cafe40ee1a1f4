"""Whether two pictures are nearly the same, told from 64 bits each."""

import numpy as np
from PIL import Image

from rnncodec.images.reading import Pixels

NEAR = 3
"""Perceptual hashes that differ in at most this many of 64 bits are those of near-duplicates."""


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
