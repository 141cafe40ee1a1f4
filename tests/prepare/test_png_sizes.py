import io
import zlib

import numpy as np
import pytest
from PIL import Image
from scipy.stats import spearmanr

from rnncodec.data.photos import DemoPhotos
from rnncodec.prepare.tiling import deflate, filtered, non_overlapping, paeth, png_sizes


def plain_paeth(a: int, b: int, c: int) -> int:
    """As the PNG specification writes it (section 9.4)."""
    p = a + b - c
    pa, pb, pc = abs(p - a), abs(p - b), abs(p - c)
    if pa <= pb and pa <= pc:
        return a
    return b if pb <= pc else c


def test_paeth_is_that_of_the_specification():
    values = np.array([0, 1, 2, 60, 127, 128, 129, 200, 254, 255], np.uint8)
    a, b, c = (grid.ravel() for grid in np.meshgrid(values, values, values))
    expected = [plain_paeth(*map(int, three)) for three in zip(a, b, c, strict=True)]
    assert paeth(a, b, c).tolist() == expected


def unfilter(rows: np.ndarray) -> np.ndarray:
    """Decode the rows of one tile byte by byte."""
    side, width = rows.shape[0], rows.shape[1] - 1
    out = np.zeros((side + 1, width + 3), int)  # a border of zeros above and to the left
    for y in range(side):
        for x in range(width):
            a, b, c = out[y + 1, x], out[y, x + 3], out[y, x]
            guess = [0, a, b, (a + b) // 2, plain_paeth(a, b, c)][rows[y, 0]]
            out[y + 1, x + 3] = (rows[y, 1 + x] + guess) % 256
    return out[1:, 3:]


@pytest.fixture(scope="module")
def tiles() -> np.ndarray:
    """Tiles of a photograph."""
    names = DemoPhotos("train")
    return non_overlapping(names.load(names.names.index("astronaut.png")), 32)


def test_filters_can_be_undone(tiles: np.ndarray):
    for tile, rows in zip(tiles[100:102], filtered(tiles[100:102]), strict=True):
        assert np.array_equal(unfilter(rows), tile.reshape(32, 96))


def test_the_filter_of_a_row_has_the_least_sum(tiles: np.ndarray):
    one = tiles[100:101]
    rows = filtered(one)[0]
    pixels = one.reshape(32, 96).astype(int)
    none = np.minimum(pixels, 256 - pixels).sum(axis=1)
    sub = pixels.copy()
    sub[:, 3:] -= pixels[:, :-3]
    sub = np.minimum(sub % 256, -sub % 256).sum(axis=1)
    found = np.minimum(rows[:, 1:].astype(int), 256 - rows[:, 1:].astype(int)).sum(axis=1)
    assert (found <= np.minimum(none, sub)).all()
    assert (found[rows[:, 0] == 1] == sub[rows[:, 0] == 1]).all()


def test_pillow_opens_a_png_of_our_rows(tiles: np.ndarray):
    """Its image data is as large as the score, and is what Pillow decodes to the tile."""
    data = deflate(filtered(tiles[:1])[0])
    file = io.BytesIO()
    Image.fromarray(tiles[0]).save(file, "PNG")
    whole = file.getvalue()
    start = whole.index(b"IDAT")
    body = b"IDAT" + data
    length, check = len(data).to_bytes(4, "big"), zlib.crc32(body).to_bytes(4, "big")
    ours = whole[: start - 4] + length + body + check + whole[whole.index(b"IEND") - 4 :]
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(ours))), tiles[0])
    assert png_sizes(tiles[:1]) == [len(data)]


def test_the_ranking_is_that_of_pillow(tiles: np.ndarray):
    theirs = []
    for tile in tiles:
        file = io.BytesIO()
        Image.fromarray(tile).save(file, "PNG")
        theirs.append(len(file.getvalue()))
    ours = np.array(png_sizes(tiles))
    assert spearmanr(ours, theirs).statistic > 0.995
    worst = [set(np.argsort(sizes)[-50:]) for sizes in (ours, theirs)]
    assert len(worst[0] & worst[1]) >= 47


def test_noise_is_worse_than_a_ramp_and_a_ramp_than_one_colour():
    ramp = np.broadcast_to(np.arange(32, dtype=np.uint8)[:, None, None] * 7, (32, 32, 3))
    noise = np.random.default_rng(0).integers(0, 256, (32, 32, 3), np.uint8)
    sizes = png_sizes(np.stack([np.zeros_like(noise), ramp, noise]))
    assert sizes[0] < sizes[1] < sizes[2]
    assert sizes[2] > 3072


def test_no_tiles_have_no_sizes():
    assert png_sizes(np.empty((0, 32, 32, 3), np.uint8)) == []
