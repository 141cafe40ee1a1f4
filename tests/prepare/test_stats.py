import numpy as np
from tests.prepare.conftest import SMALL

from rnncodec.data.tile_sets import TileSet
from rnncodec.prepare.pipeline import prepare
from rnncodec.prepare.settings import Settings
from rnncodec.prepare.sources import Files
from rnncodec.prepare.stats_page import SHOWN, tile_stats
from rnncodec.prepare.tiling import png_sizes


def test_figures_equal_those_of_all_tiles_at_once(album, tmp_path):
    prepare(Files(album), tmp_path, Settings(**SMALL))
    tiles = TileSet(tmp_path)
    found = tile_stats(tiles)
    every = np.stack([tiles.load(number) for number in range(len(tiles))])
    sizes = png_sizes(every)
    assert found.scores.tolist() == sizes
    order = np.argsort(sizes, kind="stable")
    assert np.array_equal(found.easiest[0], every[order[0]])
    hardest = [sizes[n] for n in order[::-1][:SHOWN]]
    assert png_sizes(found.hardest) == hardest
    assert np.allclose(found.colour, every.mean(axis=(0, 1, 2)))
    assert found.shards == (len(tiles.shards), len(tiles.shards))
