"""Draws where the positions of adaptive files end, beside the picture: the lighter, the later.

    python scripts/figures/masks.py photo.jpg mse.rnc ssim.rnc --out docs/pictures/masks.png

No model is needed: masks are read from the files alone.
"""

import argparse
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from rnncodec.bitstream import Mask, parse, position_order


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("picture", type=Path)
    parser.add_argument("files", type=Path, nargs="+")
    parser.add_argument("--out", type=Path, required=True)
    asked = parser.parse_args()
    picture = np.asarray(Image.open(asked.picture).convert("RGB"))
    panels = [picture, *(drawn(path.read_bytes(), picture.shape) for path in asked.files)]
    gap = np.full((len(picture), 8, 3), 255, np.uint8)
    row = np.concatenate([part for panel in panels for part in (panel, gap)][:-1], axis=1)
    Image.fromarray(row).reduce(2).save(asked.out, optimize=True)


def drawn(data: bytes, shape: tuple[int, ...]) -> NDArray[np.uint8]:
    """How many iterations each block sends, as grey: black for one, white for all."""
    counts = ends(data)
    grey = 255 * (counts - 1) // max(1, counts.max() - 1)
    blocks = grey.astype(np.uint8).repeat(16, 0).repeat(16, 1)[: shape[0], : shape[1]]
    return np.stack([blocks] * 3, axis=-1)


def ends(data: bytes) -> NDArray[np.int64]:
    """How many iterations each position sends: (h, w)."""
    header, segments, _ = parse(data)
    counts = np.ones(header.code_shape[:2], np.int64)
    for number, tile in enumerate(header.tiles()):
        mask, order = Mask(tile.h, tile.w), position_order(tile.h, tile.w)
        part = np.ones(tile.h * tile.w, np.int64)
        for segment in segments[1:] if header.adaptive else []:
            part[order] += mask.read(segment.decoder(number))
        counts[tile.slices] = part.reshape(tile.h, tile.w)
    return counts


if __name__ == "__main__":
    main()
