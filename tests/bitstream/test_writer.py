import numpy as np
import pytest
from tests.bitstream.examples import EXAMPLES, Example
from tests.bitstream.forge import take_apart

from rnncodec.bitstream import Header, Iteration, SegmentMode, parse, write
from rnncodec.errors import BitstreamError

CODES = np.zeros((1, 1, 32), np.uint8)
HEADER = Header(width=16, height=16, iterations=1, fingerprint=bytes(16))


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.name)
def test_exact_bytes(example: Example) -> None:
    assert write(example.header, example.iterations) == example.data


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.name)
def test_a_second_writer_agrees(example: Example) -> None:
    codes = np.stack([iteration.codes for iteration in example.iterations])
    assert take_apart(example.data, codes).pack() == example.data


@pytest.mark.parametrize(("size", "mode"), [(3, SegmentMode.ENTROPY), (4, SegmentMode.RAW)])
def test_entropy_coding_is_used_only_where_it_gains(size: int, mode: SegmentMode) -> None:
    data = write(HEADER, [Iteration(CODES, [bytes(size)])])
    assert parse(data).segments[0].mode is mode


def test_the_table_of_tiles_counts_too() -> None:
    header = Header(width=32, height=16, iterations=1, fingerprint=bytes(16), tile=16)
    codes = np.zeros((1, 2, 32), np.uint8)
    modes = [
        parse(write(header, [Iteration(codes, [bytes(3), bytes(size)])])).segments[0].mode
        for size in (3, 4)
    ]
    assert modes == [SegmentMode.ENTROPY, SegmentMode.RAW]


def test_the_overhead_is_at_most_40_bytes_and_8_per_iteration() -> None:
    for side in (16, 160, 1600, 4096):
        header = Header(width=side, height=side, iterations=2, fingerprint=bytes(16))
        codes = np.zeros(header.code_shape, np.uint8)
        payload = bytes(header.raw_size - 1)
        data = write(header, [Iteration(codes, [payload]), Iteration(codes)])
        assert len(data) - len(payload) - header.raw_size <= 40 + 8 * 2


def test_more_iterations_than_stated() -> None:
    with pytest.raises(ValueError, match="the header states 1 iterations, not more"):
        write(HEADER, [Iteration(CODES), Iteration(CODES)])


def test_fewer_iterations_than_stated() -> None:
    with pytest.raises(ValueError, match="expected 1 iterations, got 0"):
        write(HEADER, [])


def test_another_number_of_tiles() -> None:
    with pytest.raises(ValueError, match="expected 1 tiles, got 2"):
        write(HEADER, [Iteration(CODES, [b"", b""])])


def test_masked_payloads_are_bounded_by_their_image_and_by_the_tag() -> None:
    header = Header(width=16, height=16, iterations=2, fingerprint=bytes(16), adaptive=True)
    with pytest.raises(BitstreamError, match=r"masked segment of 9 bytes: .* holds at most 8; wr"):
        write(header, [Iteration(CODES), Iteration(CODES, even=[bytes(9)])])
    large = Header(
        width=65520, height=65536, iterations=2, fingerprint=bytes(16), tile=1024, adaptive=True
    )
    assert large.masked_limit == 2**26 - 1
