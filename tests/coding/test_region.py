"""Decoding a part of a picture: the same pixels, from the tiles that it touches alone."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from rnncodec.codec import load
from rnncodec.coding import transform
from rnncodec.errors import ConfigError

GOLDEN = Path("tests/golden")
CODEC = load(GOLDEN / "model.safetensors")


@pytest.fixture(scope="module")
def tiled() -> bytes:
    """A file of 3 x 3 tiles of 48x48, the last ones smaller."""
    pixels = np.asarray(Image.open(GOLDEN / "rgb.png").resize((130, 110)))
    return CODEC.encode(pixels, tile=48)


@pytest.mark.parametrize(
    ("region", "tiles"),
    [
        ((0, 0, 130, 110), 9),
        ((0, 0, 48, 48), 1),
        ((47, 47, 49, 49), 4),
        ((100, 5, 101, 109), 3),
        ((129, 109, 130, 110), 1),
    ],
)
def test_a_region_is_that_part_of_the_picture(
    tiled: bytes, region: tuple[int, int, int, int], tiles: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = np.asarray(CODEC.decode(tiled).crop(region)).astype(int)
    ran: list[int] = []
    synthesize = transform.TileSynthesizer.synthesize

    def counted(self: transform.TileSynthesizer, codes: np.ndarray) -> np.ndarray:
        ran.append(codes.shape[1])
        return synthesize(self, codes)

    monkeypatch.setattr(transform.TileSynthesizer, "synthesize", counted)
    part = np.asarray(CODEC.decode(tiled, region=region))
    assert part.shape == whole.shape
    assert np.abs(part - whole).max() <= 1
    assert sum(ran) == tiles
    assert CODEC.decode(tiled, region=region, iterations=1).size == part.shape[1::-1]


@pytest.mark.parametrize("name", ["rgb", "grey", "adaptive", "pixel"])
def test_a_picture_in_one_piece_is_cut(name: str) -> None:
    data = (GOLDEN / f"{name}.rnc").read_bytes()
    whole = CODEC.decode(data)
    region = (whole.width // 3, whole.height // 2, whole.width, whole.height)
    part = CODEC.decode(data, region=region)
    assert part.mode == whole.mode
    assert np.array_equal(np.asarray(part), np.asarray(whole.crop(region)))


@pytest.mark.parametrize(
    "region",
    [(0, 0, 131, 110), (0, 0, 0, 5), (9, 0, 3, 5), (-1, 0, 5, 5), (0, 0, 5), (0.0, 0, 5, 5), ()],
)
def test_what_is_no_part_is_refused(tiled: bytes, region: tuple[int, ...]) -> None:
    with pytest.raises(ConfigError, match=r"region=.*: expected left"):
        CODEC.decode(tiled, region=region)
