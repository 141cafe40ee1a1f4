"""From one photograph to its tiles, by the rule of a mode, and the tiles' PNG sizes (section 4.1).

The score of a tile is the size in bytes of its PNG image data. The filter rule is that of libpng:
each row takes the filter, of None, Sub, Up, Average and Paeth, whose output has the least sum of
absolute values as signed bytes; the first of equals. The rows are then deflated as Pillow does it:
zlib level 6, strategy "filtered", memory level 9.
"""

import hashlib
import zlib
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from rnncodec.data.shards import ScoredTiles
from rnncodec.images.reading import Pixels
from rnncodec.prepare.settings import Mode, Settings
from rnncodec.rng_streams import Stream, permutation

LEVEL = 6
_AT_ONCE = 160 * 1024  # bytes of tiles whose filters are tried together: these stay in the cache


def shrink_to_fit(image: Pixels, box: tuple[int, int]) -> Pixels:
    """Scale down, proportions kept, to fit a (width, height) box laid either way; never up.

    >>> shrink_to_fit(np.zeros((3000, 2000, 3), np.uint8), (1280, 720)).shape
    (1080, 720, 3)
    """
    height, width = image.shape[:2]
    scale = min(max(box) / max(height, width), min(box) / min(height, width))
    if scale >= 1:
        return image
    size = max(1, round(width * scale)), max(1, round(height * scale))
    smaller = Image.fromarray(image).resize(size, Image.Resampling.LANCZOS, reducing_gap=3.0)
    return np.asarray(smaller)


def cut_tiles(image: Pixels, name: str, settings: Settings) -> ScoredTiles:
    """The tiles of an image that was shrunk already; `name` decides what is random."""
    side = settings.tile
    if settings.mode == Mode.THUMBNAIL:
        whole = Image.fromarray(image).resize((side, side), Image.Resampling.BOX)
        grid, across = np.asarray(whole)[None], 1
    else:
        grid, across = non_overlapping(image, side), image.shape[1] // side
    chosen = np.arange(len(grid))
    scores: list[int] | None = None
    if settings.mode == Mode.HIGH_ENTROPY:
        scores = png_sizes(grid)
        # a stable sort: of equal tiles the first
        chosen = np.sort(np.argsort(-np.array(scores), kind="stable")[: settings.keep])
        scores = [scores[index] for index in chosen]
    elif settings.mode == Mode.RANDOM:
        chosen = np.sort(tile_permutation(settings.seed, name, len(grid))[: settings.keep])
    pixels = grid[chosen]
    tops, lefts = (chosen // across * side).tolist(), (chosen % across * side).tolist()
    return ScoredTiles(pixels, tops, lefts, png_sizes(pixels) if scores is None else scores)


def non_overlapping(image: Pixels, side: int) -> Pixels:
    """The tiles (n, side, side, 3) from the top left corner on, in raster order."""
    down, across = image.shape[0] // side, image.shape[1] // side
    whole = image[: down * side, : across * side].reshape(down, side, across, side, 3)
    return np.ascontiguousarray(whole.swapaxes(1, 2)).reshape(down * across, side, side, 3)


def tile_permutation(seed: int, name: str, count: int) -> NDArray[np.int64]:
    """A permutation of 0..count-1 that depends on the seed and the name alone."""
    digest = hashlib.blake2b(name.encode("utf-8", "surrogateescape"), digest_size=8).digest()
    return permutation(seed, Stream.PREPARED_TILES, int.from_bytes(digest, "big"), count)


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
    result = np.empty((count, side, 1 + 3 * side), np.uint8)
    # einsum sums fastest; a matrix product as fast would start threads in every process
    exact = np.uint16 if 128 * 3 * side < 2**16 else np.uint32
    for start in range(0, count, step):
        candidates = _candidates(rows[start : start + step])
        size: NDArray[Any] = np.minimum(candidates, -candidates).astype(exact)
        chosen = np.einsum("fnyx->fny", size).argmin(axis=0)
        result[start : start + step, :, 0] = chosen
        result[start : start + step, :, 1:] = np.take_along_axis(
            candidates, chosen[None, ..., None], axis=0
        )[0]
    return result


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
