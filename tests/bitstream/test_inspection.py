import pytest
from tests.bitstream.examples import EXAMPLES

from rnncodec.bitstream import Info, SegmentMode, info

HEADER, DATA = EXAMPLES[1].header, EXAMPLES[1].data


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
