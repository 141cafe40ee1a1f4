"""Files that end within an iteration, and files that are made to fill a size."""

import warnings
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from rnncodec import bitstream
from rnncodec.bitstream import UNSENT, CutDecoder, cut_segment, encode, info, sending
from rnncodec.codec import Codec, load
from rnncodec.coding.entropy_coding import CodeReader
from rnncodec.errors import ConfigError, ModelError, RNNCodecWarning

GOLDEN = Path("tests/golden")
CODEC = load(GOLDEN / "model.safetensors")
FILES = ("rgb", "grey", "tiled", "raw", "adaptive")


def golden(name: str) -> bytes:
    return (GOLDEN / f"{name}.rnc").read_bytes()


def cuts(data: bytes) -> list[int]:
    """Places within the second and third iteration of a golden file."""
    ends = info(data).ends
    return [
        start + (end - start) * share // 8
        for start, end in ((ends[1], ends[2]), (ends[2], ends[3]))
        for share in range(1, 8)
    ]


def in_part(data: bytes, codec: Codec = CODEC) -> np.ndarray:
    """The codes of a file with what has arrived of a cut iteration."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RNNCodecWarning)
        return codec._read(data, None, None, partial=True)[1]


def test_bits_that_a_beginning_settles_are_those_of_the_whole() -> None:
    rng = np.random.default_rng(0)
    for trial in range(40):
        chances = rng.integers(1, 65536, 300)
        bits = (rng.random(300) * 65536 < chances).astype(np.uint8)
        data = encode(bits, chances)
        before = 0
        for size in range(0, len(data) + 1, 1 + trial % 5):
            cut, known = CutDecoder(data[:size]), 0
            while known < 300:
                ask = chances[known : known + 1]
                answer = cut.read(lambda decoder, ask=ask: decoder.decode(ask))
                if answer is None:
                    break
                assert answer[0] == bits[known]
                known += 1
            assert known >= before, "more bytes settle more bits"
            information = -np.log2(np.where(bits, chances, 65536 - chances) / 65536).cumsum()
            settled = 0 if known == 0 else information[known - 1]
            assert settled <= 8 * size + 0.1, "no more is known than has arrived"
            assert known == 300 or information[known] > 8 * size - 64, "nor much less"
            before = known
        cut = CutDecoder(data, whole=True)
        answer = cut.read(lambda decoder, ask=chances: decoder.decode(ask))
        np.testing.assert_array_equal(answer, bits)


@pytest.mark.parametrize("name", FILES)
def test_what_has_arrived_of_an_iteration_is_used(name: str) -> None:
    data = golden(name)
    whole = CODEC.decode_codes(data)
    counts = []
    for size in cuts(data):
        codes = in_part(data[:size])
        iterations = info(data[:size]).iterations
        np.testing.assert_array_equal(codes[:iterations], whole[:iterations])
        arrived = np.zeros(whole.shape[1:3], np.bool_)
        if len(codes) > iterations:
            arrived = sending(codes[-1])
            np.testing.assert_array_equal(codes[-1][arrived], whole[iterations][arrived])
            assert (codes[-1][~arrived] == UNSENT).all()
        counts.append(int(arrived.sum()))
    second, third = counts[:7], counts[7:]
    assert second == sorted(second), "more bytes bring more blocks"
    assert third == sorted(third)
    sent = [int(sending(frame).sum()) for frame in whole[1:]]
    assert sent[0] * 0.4 < second[-1] < sent[0]
    assert third[-1] < sent[1]


@pytest.mark.parametrize("name", ["rgb", "tiled"])
def test_the_picture_gets_better_block_by_block(name: str) -> None:
    data = golden(name)
    ends = info(data).ends
    size = (ends[2] + ends[3]) // 2
    with pytest.warns(RNNCodecWarning, match=r"2 of its 3 .* of the next one \d+% of the blocks"):
        part = np.asarray(CODEC.decode(data[:size], partial=True)).astype(int)
    with pytest.warns(RNNCodecWarning, match="2 of its 3 iterations are used$"):
        before = np.asarray(CODEC.decode(data[:size])).astype(int)
    arrived = sending(in_part(data[:size])[-1])
    blocks = arrived.repeat(16, 0).repeat(16, 1)[: part.shape[0], : part.shape[1]]
    assert (part[~blocks] == before[~blocks]).all(), "what has not arrived stays as it was"
    assert (part[blocks] != before[blocks]).mean() > 0.3
    with pytest.warns(RNNCodecWarning, match="unverified"):
        *_, last = CODEC.decode_progressive(
            [data[: size - 9], data[size - 9 : size]], partial=True
        )
    assert np.abs(np.asarray(last).astype(int) - part).max() <= 1
    assert len(list(CODEC.decode_progressive(data, partial=True))) == 3


def test_a_whole_file_has_no_cut_segment_and_a_beginning_of_one_neither() -> None:
    data = golden("rgb")
    ends = info(data).ends
    assert cut_segment(data) is None
    for size in (ends[2], ends[2] + 1, ends[2] + 5):
        assert cut_segment(data[:size]) is None
        assert len(in_part(data[:size])) == 2
    found = cut_segment(data[: ends[2] + 12])
    assert found is not None
    assert found.iteration == 3
    assert len(found.payload) + found.missing == ends[3] - ends[2] - 6


def test_damage_in_what_is_cut_is_no_crash() -> None:
    rng = np.random.default_rng(0)
    for name in FILES:
        data = golden(name)
        for size in cuts(data):
            broken = bytearray(data[:size])
            at = info(data[:size]).ends[-1] + 6
            if at >= size:
                continue
            broken[rng.integers(at, size)] ^= int(rng.integers(1, 256))
            assert 1 <= len(in_part(bytes(broken))) <= 3


def test_a_cut_coded_segment_needs_the_entropy_model() -> None:
    cut = cut_segment(golden("rgb")[:-9])
    assert cut is not None
    with pytest.raises(ModelError, match="no entropy model"):
        CodeReader(None, cut.header, 3).read_cut(cut)


@pytest.mark.parametrize("name", ["rgb", "grey", "tiled", "adaptive", "profile"])
@pytest.mark.parametrize("share", [0.3, 0.6, 0.9])
def test_a_shorter_file_fills_its_size(name: str, share: float) -> None:
    data = golden(name)
    ends = info(data).ends
    limit = int(ends[2] + share * (ends[3] - ends[2]))
    plain = bitstream.truncate(data, max_bytes=limit)
    filled = CODEC.truncate(data, max_bytes=limit)
    assert len(plain) <= len(filled) <= limit
    codes, whole = CODEC.decode_codes(filled), CODEC.decode_codes(data)
    np.testing.assert_array_equal(codes[:2], whole[:2])
    if len(codes) == 3:
        arrived = sending(codes[2])
        np.testing.assert_array_equal(codes[2][arrived], whole[2][arrived])
        assert info(filled).header.icc_profile == info(data).header.icc_profile
    pixels = info(data).header.width * info(data).header.height
    assert len(CODEC.truncate(data, bpp=8 * limit / pixels)) <= limit


def test_a_photograph_fills_nearly_all_of_it() -> None:
    with Image.open(GOLDEN / "set/large.png") as picture:
        data = CODEC.encode(picture.convert("RGB"))
    ends = info(data).ends
    for share in (0.1, 0.5, 0.9):
        limit = int(ends[1] + share * (ends[2] - ends[1]))
        assert 0.97 * limit <= len(CODEC.truncate(data, max_bytes=limit)) <= limit


def test_what_fits_as_a_whole_stays_as_it_is() -> None:
    data = golden("rgb")
    assert CODEC.truncate(data, max_bytes=len(data)) == data
    assert CODEC.truncate(data, bpp=9) == data
    with pytest.raises(ConfigError, match="either iterations= or max_bytes= or bpp="):
        CODEC.truncate(data)
    with pytest.raises(ConfigError, match="header and first iteration of this file take"):
        CODEC.truncate(data, max_bytes=40)
