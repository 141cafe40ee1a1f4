"""How badly PNG compresses a tile (paper section 4.1): the size in bytes of its PNG image data.

The filter rule is that of libpng: each row takes the filter, of None, Sub, Up, Average and Paeth,
whose output has the least sum of absolute values as signed bytes; the first of equals. The rows
are then deflated as Pillow does it: zlib level 6, strategy "filtered", memory level 9.
"""

import zlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rnncodec.images.reading import Pixels

LEVEL = 6
_AT_ONCE = 160 * 1024  # bytes of tiles whose filters are tried together: these stay in the cache


def png_sizes(tiles: Pixels) -> list[int]:
    """Size of the image data (IDAT) of each of the tiles (n, side, side, 3), in bytes.

    >>> png_sizes(np.zeros((1, 32, 32, 3), np.uint8))
    [25]
    """
    return [len(deflate(rows)) for rows in filtered(tiles)]


def deflate(data: Pixels) -> bytes:
    """What Pillow writes into a PNG file for these filtered rows."""
    squeeze = zlib.compressobj(LEVEL, zlib.DEFLATED, zlib.MAX_WBITS, 9, zlib.Z_FILTERED)
    return squeeze.compress(data.tobytes()) + squeeze.flush()


def filtered(tiles: Pixels) -> Pixels:
    """Tiles (n, side, side, 3) -> PNG rows (n, side, 1 + 3*side), the filter's number first."""
    count, side = tiles.shape[:2]
    rows = tiles.reshape(count, side, 3 * side)
    step = max(1, _AT_ONCE // (3 * side**2))
    parts = [_filtered(rows[start : start + step]) for start in range(0, count, step)]
    return np.concatenate(parts) if parts else np.empty((0, side, 1 + 3 * side), np.uint8)


def _filtered(rows: Pixels) -> Pixels:
    candidates = _candidates(rows)
    _, count, side, width = candidates.shape
    # einsum sums fastest; a matrix product as fast would start threads in every process
    exact = np.uint16 if 128 * width < 2**16 else np.uint32
    size: NDArray[Any] = np.minimum(candidates, -candidates).astype(exact)
    cost = np.einsum("fnyx->fny", size).reshape(5, count * side)
    chosen = cost.argmin(axis=0)
    result = np.empty((count * side, 1 + width), np.uint8)
    result[:, 0] = chosen
    lines = candidates.reshape(5, count * side, width)
    result[:, 1:] = lines[chosen, np.arange(count * side)]
    return result.reshape(count, side, 1 + width)


def _candidates(rows: Pixels) -> Pixels:
    """Rows (n, side, width) under each of the five filters: (5, n, side, width)."""
    left, up, corner = (np.zeros_like(rows) for _ in range(3))
    left[..., 3:] = rows[..., :-3]
    up[:, 1:] = rows[:, :-1]
    corner[:, 1:, 3:] = rows[:, :-1, :-3]
    results = np.empty((5, *rows.shape), np.uint8)
    results[0] = rows
    np.subtract(rows, left, out=results[1])
    np.subtract(rows, up, out=results[2])
    # the mean, rounded down, without leaving 8 bits
    np.subtract(rows, (left & up) + ((left ^ up) >> 1), out=results[3])
    np.subtract(rows, paeth(left, up, corner), out=results[4])
    return results


def paeth(left: Pixels, up: Pixels, corner: Pixels) -> Pixels:
    """PNG's Paeth predictor, in 8-bit arithmetic (which is what makes it fast).

    Where the corner lies outside of the two, the prediction is the one further from it. Where it
    lies between them, the distances are `|up - corner|` from the left, `|left - corner|` from
    above and the difference of these two from the corner.
    """
    low, high = np.minimum(left, up), np.maximum(left, up)
    from_left, from_up = _distance(up, corner), _distance(left, corner)
    from_corner = _distance(from_left, from_up)
    result = _choose(from_up <= from_corner, up, corner)
    result = _choose((from_left <= from_up) & (from_left <= from_corner), left, result)
    result = _choose(corner <= low, high, result)
    return _choose(corner >= high, low, result)


def _distance(one: Pixels, other: Pixels) -> Pixels:
    return np.maximum(one, other) - np.minimum(one, other)


def _choose(condition: NDArray[np.bool_], yes: Pixels, no: Pixels) -> Pixels:
    # np.where, several times faster for bytes
    mask = -condition.view(np.uint8)
    return no ^ ((yes ^ no) & mask)
