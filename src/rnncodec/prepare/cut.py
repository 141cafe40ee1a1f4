"""From one photograph to its tiles, by the rule of a mode."""

import hashlib

import numpy as np
from PIL import Image

from rnncodec.data.shards import Tiles
from rnncodec.images.reading import Pixels
from rnncodec.prepare.score import png_sizes
from rnncodec.prepare.settings import Mode, Settings
from rnncodec.rng_streams import Stream, permutation


def shrink(image: Pixels, box: tuple[int, int]) -> Pixels:
    """Scale down, proportions kept, to fit a (width, height) box laid either way; never up.

    >>> shrink(np.zeros((3000, 2000, 3), np.uint8), (1280, 720)).shape
    (1080, 720, 3)
    """
    height, width = image.shape[:2]
    scale = min(max(box) / max(height, width), min(box) / min(height, width))
    if scale >= 1:
        return image
    size = max(1, round(width * scale)), max(1, round(height * scale))
    smaller = Image.fromarray(image).resize(size, Image.Resampling.LANCZOS, reducing_gap=3.0)
    return np.asarray(smaller)


def cut(image: Pixels, name: str, settings: Settings) -> Tiles:
    """The tiles of an image that was shrunk already; `name` decides what is random."""
    if settings.mode == Mode.THUMBNAIL:
        side = settings.tile
        whole = Image.fromarray(image).resize((side, side), Image.Resampling.BOX)
        return _scored(np.asarray(whole)[None], [0], [0])
    grid = non_overlapping(image, settings.tile)
    across = image.shape[1] // settings.tile
    if settings.mode == Mode.HIGH_ENTROPY:
        scores = png_sizes(grid)
        # a stable sort: of equal tiles the first
        kept = np.sort(np.argsort(-np.array(scores), kind="stable")[: settings.keep])
        return _at(grid, kept, across, scores)
    kept = np.arange(len(grid))
    if settings.mode == Mode.RANDOM:
        kept = np.sort(order(settings.seed, name, len(grid))[: settings.keep])
    return _at(grid, kept, across)


def non_overlapping(image: Pixels, side: int) -> Pixels:
    """The tiles (n, side, side, 3) from the top left corner on, in raster order."""
    down, across = image.shape[0] // side, image.shape[1] // side
    whole = image[: down * side, : across * side].reshape(down, side, across, side, 3)
    return np.ascontiguousarray(whole.swapaxes(1, 2)).reshape(down * across, side, side, 3)


def order(seed: int, name: str, count: int) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """A permutation of 0..count-1 that depends on the seed and the name alone."""
    digest = hashlib.blake2b(name.encode("utf-8", "surrogateescape"), digest_size=8).digest()
    word = int.from_bytes(digest, "big")
    return permutation(seed, Stream.PREPARED_TILES, word, count)


def _at(
    grid: Pixels,
    kept: np.ndarray[tuple[int], np.dtype[np.int64]],
    across: int,
    scores: list[int] | None = None,
) -> Tiles:
    side = grid.shape[1]
    tops, lefts = (kept // across * side).tolist(), (kept % across * side).tolist()
    if scores is None:
        return _scored(grid[kept], tops, lefts)
    return Tiles(grid[kept], tops, lefts, [scores[index] for index in kept])


def _scored(pixels: Pixels, tops: list[int], lefts: list[int]) -> Tiles:
    return Tiles(pixels, tops, lefts, png_sizes(pixels))
