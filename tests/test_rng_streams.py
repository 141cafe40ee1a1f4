"""Random numbers of a seed stay what they were, and those of its uses apart."""

import numpy as np

from rnncodec.rng_streams import Stream, draw, permutation


def test_the_numbers_of_streams_never_change() -> None:
    assert {stream.name: int(stream) for stream in Stream} == {
        "CROPS": 1, "CODES": 2, "PREPARED_TILES": 3, "TILE_ORDER": 4, "TILE_MIXTURE": 5,
    }  # fmt: skip


def test_they_are_those_of_philox_by_its_counter() -> None:
    expected = np.random.Philox(key=7, counter=[0, 2**63 + 5, 4, 3]).random_raw(6)
    assert draw(7, Stream.TILE_ORDER, 2**63 + 5, 6, part=3).tolist() == expected.tolist()
    order = permutation(7, Stream.TILE_ORDER, 2**63 + 5, 6, part=3)
    assert expected[order].tolist() == sorted(expected.tolist())


def test_streams_numbers_and_parts_are_apart() -> None:
    drawn = [draw(0, stream, 1, 4).tolist() for stream in Stream]
    drawn += [draw(0, Stream.CROPS, 2, 4).tolist(), draw(0, Stream.CROPS, 1, 4, part=1).tolist()]
    assert len({number for numbers in drawn for number in numbers}) == 4 * len(drawn)
