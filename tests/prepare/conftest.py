"""Photographs for all tests of prepare: small, of different detail, no two alike."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from rnncodec.data.tile_sets import TileSet
from rnncodec.prepare.settings import Settings

SMALL = {"tile": 16, "keep": 5, "shard_tiles": 16, "min_side": 32, "photographs": 3}


def paint(number: int, size: tuple[int, int] = (96, 80)) -> Image.Image:
    """A picture of noise, from coarse to fine."""
    coarse = size[0] // (2 + number % 5), size[1] // (2 + number % 5)
    pixels = np.random.default_rng(number).integers(0, 256, (*coarse[::-1], 3), np.uint8)
    return Image.fromarray(pixels).resize(size, Image.Resampling.BICUBIC)


def everything(folder: Path) -> dict[str, str]:
    """Name and hash of every file."""
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def lines(path: Path) -> list[dict]:
    """The rows of a file of JSON lines."""
    return [json.loads(line) for line in path.read_text().splitlines()]


def pictures(folder: Path) -> list[bytes]:
    """All tiles, without the images' numbers."""
    tiles = TileSet(folder)
    return [tiles.load(number).tobytes() for number in range(len(tiles))]


@pytest.fixture(scope="session")
def album(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twenty photographs in two folders."""
    root = tmp_path_factory.mktemp("album")
    for number in range(20):
        path = root / f"s{number % 2}" / f"{number:02d}.png"
        path.parent.mkdir(exist_ok=True)
        paint(number).save(path)
    return root


@pytest.fixture
def small() -> Callable[..., Settings]:
    """Settings for such photographs, with changes."""
    return lambda **changes: Settings(**{**SMALL, **changes})
