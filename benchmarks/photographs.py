"""Photographs of any size for benchmarks, made of those inside scikit-image, without noise added.

A photograph is mirrored at its edges until the size is filled, and cut out at a random place: so
the content of its pixels, on which the time of decoding a JPEG depends, stays that of a camera.
"""

from pathlib import Path

import numpy as np
from PIL import Image

from rnncodec.data.photos import DemoPhotos
from rnncodec.images.reading import Pixels

COLOURED = ("astronaut.png", "motorcycle_left.png", "chelsea.png", "coffee.png", "rocket.jpg")
QUALITY = 90


def photograph(width: int, height: int, number: int = 0) -> Pixels:
    """Photograph ``number``, a function of it and the size: uint8 (H, W, 3)."""
    photos = DemoPhotos("train", "validation", "evaluation")
    name = COLOURED[number % len(COLOURED)]
    original = photos.load(photos.names.index(name))
    rng = np.random.default_rng(number)
    top, left = (int(rng.integers(side)) for side in original.shape[:2])
    padding = ((0, top + height), (0, left + width), (0, 0))
    filled = np.pad(original, padding, mode="symmetric")
    return np.ascontiguousarray(filled[top : top + height, left : left + width])


def write_jpegs(folder: Path, count: int, width: int, height: int) -> int:
    """Photographs 0.jpg, 1.jpg, ... into a folder; how many bytes they have together."""
    for number in range(count):
        path = folder / f"{number}.jpg"
        Image.fromarray(photograph(width, height, number)).save(path, quality=QUALITY)
    return sum(path.stat().st_size for path in folder.iterdir())
