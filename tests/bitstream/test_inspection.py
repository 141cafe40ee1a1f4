import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.bitstream.examples import EXAMPLES

import rnncodec
from rnncodec.bitstream import Info, SegmentMode, info, parse, truncate
from rnncodec.errors import BitstreamError, ConfigError

HEADER, DATA = EXAMPLES[1].header, EXAMPLES[1].data  # two iterations: 54 and 124 bytes


def test_a_whole_file() -> None:
    pixels = 256 * 16
    assert info(DATA) == Info(
        header=HEADER,
        file_bytes=124,
        modes=(SegmentMode.ENTROPY, SegmentMode.RAW),
        segment_bytes=(5, 70),
        bpp=(8 * 54 / pixels, 8 * 124 / pixels),
        truncated=False,
    )


@pytest.mark.parametrize(("size", "truncated"), [(54, False), (55, True), (123, True)])
def test_a_cut_file(size: int, truncated: bool) -> None:
    described = info(DATA[:size])
    assert (described.iterations, described.header.iterations) == (1, 2)
    assert (described.file_bytes, described.truncated) == (size, truncated)


def test_it_is_part_of_the_public_face() -> None:
    assert rnncodec.truncate is truncate


@pytest.mark.parametrize(("iterations", "size"), [(1, 54), (2, 124)])
def test_by_iterations(iterations: int, size: int) -> None:
    assert truncate(DATA, iterations=iterations) == DATA[:size]


@pytest.mark.parametrize(("max_bytes", "size"), [(54, 54), (123, 54), (124, 124), (9999, 124)])
def test_by_bytes(max_bytes: int, size: int) -> None:
    assert truncate(DATA, max_bytes=max_bytes) == DATA[:size]


@given(st.integers(54, 124))
def test_a_cut_file_is_a_whole_file(size: int) -> None:
    header, segments, truncated = parse(truncate(DATA[:size], max_bytes=size))
    assert header == HEADER
    assert len(segments) == 1 + (size == 124)
    assert not truncated


@pytest.mark.parametrize("iterations", [0, 3, -1])
def test_iterations_that_the_file_does_not_have(iterations: int) -> None:
    with pytest.raises(ConfigError, match=rf"iterations={iterations}: this file has 1\.\.2"):
        truncate(DATA, iterations=iterations)


def test_too_few_bytes_for_any_image() -> None:
    with pytest.raises(ConfigError, match=r"max_bytes=53: header and first iteration .* take 54"):
        truncate(DATA, max_bytes=53)


@pytest.mark.parametrize("arguments", [{}, {"iterations": 1, "max_bytes": 100}])
def test_one_target_at_a_time(arguments: dict[str, int]) -> None:
    with pytest.raises(ConfigError, match="give either iterations= or max_bytes="):
        truncate(DATA, **arguments)


def test_another_file() -> None:
    with pytest.raises(BitstreamError, match="not an rnc file"):
        truncate(b"GIF89a", iterations=1)


def test_where_header_and_iterations_end() -> None:
    assert info(DATA).ends == (49, 54, 124)
    assert info(DATA[:100]).ends == (49, 54)


@pytest.mark.parametrize("size", [54, 124])
def test_by_rate(size: int) -> None:
    assert truncate(DATA, bpp=8 * size / (256 * 16)) == DATA[:size]
    with pytest.raises(
        ConfigError, match=r"bpp=0.1: header and first iteration .* take 0.10546875"
    ):
        truncate(DATA, bpp=0.1)
    with pytest.raises(ConfigError, match="bpp=nan: expected a number"):
        truncate(DATA, bpp=float("nan"))
