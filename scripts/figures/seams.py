"""What tiles cost at their seams: `python scripts/figures/seams.py --model MODEL PICTURE`.

The picture is coded in one piece and in tiles. Compared are rate, PSNR, and how far the two
reconstructions lie apart near the seams and elsewhere. JSON goes to outputs/bench/seams.json,
enlarged details to --picture.
"""

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from rnncodec.codec import Codec, load
from rnncodec.images.reading import Pixels
from rnncodec.machine import storage

RESULT = Path("outputs/bench/seams.json")
NEAR = (2, 8, 32)
"""Distances from a seam, in pixels: what is nearer than each is reported."""
AMPLIFIED = 8


def main() -> None:
    """Code twice, compare, print, store, draw."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("image", type=Path)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--tile", type=int, default=256)
    parser.add_argument("--iterations", type=int)
    parser.add_argument("--picture", type=Path)
    arguments = parser.parse_args()
    pixels = np.asarray(Image.open(arguments.image).convert("RGB"))
    codec = load(arguments.model)
    distance = from_seams(pixels.shape[:2], arguments.tile)
    rows: list[dict[str, Any]] = []
    stages = zip(
        decoded(codec, pixels, 0, arguments.iterations),
        decoded(codec, pixels, arguments.tile, arguments.iterations),
        strict=True,
    )
    for whole, tiled in stages:
        rows.append({"iteration": len(rows) + 1, **compare(pixels, whole, tiled, distance)})
        print(", ".join(f"{key} {value:.4g}" for key, value in rows[-1].items()), flush=True)
    storage.write_text(RESULT, json.dumps(rows, indent=2) + "\n")
    if arguments.picture:
        draw(whole, tiled, arguments.tile).save(arguments.picture, optimize=True)


def decoded(codec: Codec, pixels: Pixels, tile: int, iterations: int | None) -> list[Pixels]:
    """The reconstruction after each iteration."""
    data = codec.encode(pixels, tile=tile, iterations=iterations)
    print(f"tile={tile}: {len(data)} bytes", flush=True)
    return [np.asarray(image) for image in codec.decode_progressive(data)]


def from_seams(shape: tuple[int, ...], tile: int) -> NDArray[np.int64]:
    """Distance of each pixel to the nearest seam: 0 for the pixels on either side of it."""
    axes = []
    for side in shape:
        at = np.arange(side)
        seams = np.arange(tile, side, tile)
        away = np.abs(at[:, None] + 0.5 - seams).min(axis=1, initial=1e9) - 0.5
        axes.append(away.astype(np.int64))
    nearest: NDArray[np.int64] = np.minimum(axes[0][:, None], axes[1][None])
    return nearest


def compare(
    pixels: Pixels, whole: Pixels, tiled: Pixels, distance: NDArray[np.int64]
) -> dict[str, float]:
    """PSNR of both; mean difference of the two by distance; mean error of both at the seams."""
    apart = np.abs(whole.astype(float) - tiled).mean(axis=2)
    row = {"psnr_whole": psnr(pixels, whole), "psnr_tiled": psnr(pixels, tiled)}
    row |= {f"apart_under_{near}": float(apart[distance < near].mean()) for near in NEAR}
    row["apart_elsewhere"] = float(apart[distance >= NEAR[-1]].mean())
    for name, picture in (("whole", whole), ("tiled", tiled)):
        error = np.abs(pixels.astype(float) - picture).mean(axis=2)
        row[f"error_at_seam_{name}"] = float(error[distance < NEAR[0]].mean())
    return row


def psnr(a: Pixels, b: Pixels) -> float:
    return float(10 * np.log10(255**2 / np.square(a.astype(float) - b).mean()))


def draw(whole: Pixels, tiled: Pixels, tile: int) -> Image.Image:
    """In one piece, in tiles, and the difference: 128 pixels around a crossing of seams."""
    window = (slice(tile - 64, tile + 64), slice(tile - 64, tile + 64))
    a, b = whole[window], tiled[window]
    difference = (128 + AMPLIFIED * (b.astype(int) - a)).clip(0, 255).astype(np.uint8)
    panels = np.concatenate([a, b, difference], axis=1).repeat(2, axis=0).repeat(2, axis=1)
    image = Image.fromarray(np.pad(panels, ((20, 0), (0, 0), (0, 0)), constant_values=255))
    titles = ("one piece", f"tiles of {tile}", f"difference x{AMPLIFIED}")
    for k, title in enumerate(titles):
        ImageDraw.Draw(image).text((256 * k + 6, 4), title, fill=0)
    return image


if __name__ == "__main__":
    main()
