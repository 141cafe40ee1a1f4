"""Between codes and bytes: batches hold every tile once, of one size each, within the limit."""

import pytest

from rnncodec.bitstream import Header
from rnncodec.coding.entropy_coding import batches


@pytest.mark.parametrize("positions", [1, 4, 9, 40, 1000])
def test_every_tile_once(positions: int) -> None:
    header = Header(width=170, height=110, iterations=1, fingerprint=bytes(16), tile=48)
    tiles = list(header.tiles())
    found = batches(header, positions=positions)
    assert sorted(n for batch in found for n in batch.numbers) == list(range(len(tiles)))
    for batch in found:
        assert [tiles[n] for n in batch.numbers] == list(batch.tiles)
        assert {(tile.h, tile.w) for tile in batch.tiles} == {batch.size}
        h, w = batch.size
        assert len(batch.tiles) == 1 or len(batch.tiles) * h * w <= positions


def test_one_piece_is_one_batch_however_large() -> None:
    header = Header(width=4096, height=4096, iterations=1, fingerprint=bytes(16))
    assert [batch.size for batch in batches(header, positions=1)] == [(256, 256)]
