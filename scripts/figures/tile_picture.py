"""The hardest and the easiest tiles of prepared sets, side by side in one picture.

python scripts/figures/tile_picture.py PICTURE.png SET [SET ...]
"""

import argparse
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from rnncodec.data.tile_sets import TileSet
from rnncodec.images.reading import Pixels
from rnncodec.prepare.stats_page import tile_stats

ACROSS, DOWN = 12, 2
GAP, TEXT = 12, 16


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("picture", type=Path)
    parser.add_argument("sets", nargs="+")
    options = parser.parse_args()
    columns = [column(TileSet(root)) for root in options.sets]
    sheet = np.concatenate(columns, axis=1)[:, GAP:]
    Image.fromarray(sheet).save(options.picture, optimize=True)
    print(f"{options.picture}: {sheet.shape[1]}x{sheet.shape[0]}")


def column(tiles: TileSet) -> Pixels:
    """Two panels of a set, one over the other, each with its name."""
    found = tile_stats(tiles)
    mode = tiles.manifest["settings"]["mode"]
    panels = [(f"{mode}: hardest", found.hardest), (f"{mode}: easiest", found.easiest)]
    return np.concatenate([panel(name, some) for name, some in panels])


def panel(name: str, tiles: Pixels) -> Pixels:
    side = tiles.shape[1]
    chosen = tiles[: ACROSS * DOWN].reshape(DOWN, ACROSS, side, side, 3)
    pixels = chosen.swapaxes(1, 2).reshape(DOWN * side, ACROSS * side, 3)
    whole = Image.new("RGB", (pixels.shape[1] + GAP, pixels.shape[0] + TEXT), "#c8ccd0")
    whole.paste(Image.fromarray(pixels), (GAP, TEXT))
    ImageDraw.Draw(whole).text((GAP, 2), name, fill="black")
    return np.asarray(whole)


if __name__ == "__main__":
    main()
