"""Random numbers as functions of a seed and a counter: nothing is advanced, so nothing is saved.

A resumed or distributed run draws what an undisturbed one would have drawn, on every version of
NumPy (``random_raw`` is fixed by Philox itself).
"""

from enum import IntEnum

import numpy as np
from numpy.typing import NDArray


class Stream(IntEnum):
    """The uses of one seed, kept apart by the third word of Philox's counter.

    A number never changes, and none is used again: runs would not reproduce.
    """

    CROPS = 1
    CODES = 2
    PREPARED_TILES = 3
    TILE_ORDER = 4
    TILE_MIXTURE = 5


def draw(
    seed: int, stream: Stream, number: int, count: int, *, part: int = 0
) -> NDArray[np.uint64]:
    """``count`` independent 64-bit numbers that depend on the other arguments alone.

    Args:
        seed: of the run.
        stream: what they are for.
        number: of the sample, pass, ...: below 2**64.
        count: how many.
        part: where one ``number`` needs several draws: below 2**64.
    """
    philox = np.random.Philox(key=seed, counter=[0, number, stream, part])
    return philox.random_raw(count)


def permutation(
    seed: int, stream: Stream, number: int, count: int, *, part: int = 0
) -> NDArray[np.int64]:
    """A permutation of 0..count-1; arguments as :func:`draw`.

    Examples:
        >>> sorted(permutation(0, Stream.CODES, 1, 5).tolist())
        [0, 1, 2, 3, 4]
    """
    return np.argsort(draw(seed, stream, number, count, part=part), kind="stable")
