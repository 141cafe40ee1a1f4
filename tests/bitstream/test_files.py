"""Whole files through the stand-in codec: round trips, cuts, damage."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.bitstream.stand_in import Neighbours, decode_file, encode_file, sample, with_ends

from rnncodec.bitstream import (
    UNSENT,
    Codes,
    Header,
    Iteration,
    SegmentMode,
    encode,
    info,
    parse,
    position_order,
    sending_shares,
    write,
)
from rnncodec.errors import BitstreamError

SOURCE = Neighbours()
SMALL = Header(width=40, height=40, iterations=3, fingerprint=bytes(16))
SMALL_CODES = sample(SMALL, SOURCE, 0)
SMALL_FILE = encode_file(SMALL, SMALL_CODES, SOURCE)
ADAPTIVE = Header(width=40, height=40, iterations=4, fingerprint=bytes(16), adaptive=True)
ADAPTIVE_CODES = sample(ADAPTIVE, SOURCE, 0)
ADAPTIVE_FILE = encode_file(ADAPTIVE, ADAPTIVE_CODES, SOURCE)
both = pytest.mark.parametrize(
    ("header", "codes", "data"),
    [(SMALL, SMALL_CODES, SMALL_FILE), (ADAPTIVE, ADAPTIVE_CODES, ADAPTIVE_FILE)],
    ids=["plain", "adaptive"],
)

headers = st.builds(
    Header,
    width=st.integers(1, 300),
    height=st.integers(1, 300),
    iterations=st.integers(1, 3),
    fingerprint=st.binary(min_size=16, max_size=16),
    tile=st.sampled_from([0, 0, 16, 48, 128]),
    adaptive=st.booleans(),
)


def drawn(header: Header, seed: int, likely: bool) -> Codes:
    """Codes that the stand-in codes well, or that it does not."""
    if likely:
        return sample(header, SOURCE, seed)
    shape = (header.iterations, *header.code_shape)
    rng = np.random.default_rng(seed)
    codes = rng.integers(0, 2, shape, np.uint8)
    return with_ends(header, codes, rng) if header.adaptive else codes


@settings(max_examples=150, deadline=None)
@given(headers, st.integers(0, 1 << 32), st.booleans())
def test_round_trip(header: Header, seed: int, likely: bool) -> None:
    codes = drawn(header, seed, likely)
    found, decoded = decode_file(encode_file(header, codes, SOURCE), SOURCE)
    assert found == header
    assert np.array_equal(decoded, codes)


@settings(max_examples=150, deadline=None)
@given(headers, st.integers(0, 1 << 32))
def test_round_trip_of_arbitrary_probabilities(header: Header, seed: int) -> None:
    rng = np.random.default_rng(seed)
    h, w, _ = header.code_shape
    header = Header(width=header.width, height=header.height, iterations=1, fingerprint=bytes(16))
    probabilities = rng.integers(1, 65536, (h, w, 32))
    codes = (rng.integers(0, 65536, (h, w, 32)) < probabilities).astype(np.uint8)
    order = position_order(h, w)
    coded = probabilities.reshape(-1, 32)[order].ravel()
    payload = encode(codes.reshape(-1, 32)[order].ravel(), coded)
    segment = parse(write(header, [Iteration(codes, [payload])])).segments[0]
    if segment.mode is SegmentMode.ENTROPY:
        decoded = np.empty((h * w, 32), np.uint8)
        decoded[order] = segment.decoder().decode(coded).reshape(-1, 32)
        segment.verify(decoded.reshape(h, w, 32))
    assert len(segment.payload) <= min(len(payload), header.raw_size)


def test_likely_codes_gain_and_unlikely_ones_are_raw() -> None:
    modes = {
        likely: set(info(encode_file(SMALL, drawn(SMALL, 1, likely), SOURCE)).modes)
        for likely in (True, False)
    }
    assert modes == {True: {SegmentMode.ENTROPY}, False: {SegmentMode.RAW}}


@both
def test_every_cut_gives_the_iterations_that_are_whole(
    header: Header, codes: Codes, data: bytes
) -> None:
    ends = [segment.offset + segment.size for segment in parse(data).segments]
    assert len(ends) == header.iterations
    for size in range(ends[0], len(data) + 1):
        _, decoded = decode_file(data[:size], SOURCE)
        assert np.array_equal(decoded, codes[: sum(end <= size for end in ends)])


@both
def test_every_cut_before_the_first_iteration_is_an_error(
    header: Header, codes: Codes, data: bytes
) -> None:
    first = parse(data).segments[0]
    for size in range(first.offset + first.size):
        with pytest.raises(BitstreamError, match=f"byte {size}: the file ends (inside|before)"):
            decode_file(data[:size], SOURCE)


@both
@pytest.mark.parametrize("mask", [0x01, 0x80, 0xFF])
def test_every_byte_flipped(header: Header, codes: Codes, data: bytes, mask: int) -> None:
    for at in range(len(data)):
        damaged = bytearray(data)
        damaged[at] ^= mask
        try:
            found, decoded = decode_file(bytes(damaged), SOURCE)
        except BitstreamError:
            continue
        assert found == header
        assert 1 <= len(decoded) <= header.iterations
        assert np.array_equal(decoded, codes[: len(decoded)])


def test_modes_and_shares_of_an_adaptive_file_are_known_without_a_model() -> None:
    assert [mode.masked for mode in info(ADAPTIVE_FILE).modes] == [False, True, True, True]
    sent = (ADAPTIVE_CODES[..., 0] != UNSENT).mean(axis=(1, 2))
    assert sending_shares(ADAPTIVE_FILE) == tuple(sent)
    assert sending_shares(SMALL_FILE) == (1.0,) * 3


def test_another_model_is_noticed_even_under_the_same_fingerprint() -> None:
    other = Header(width=40, height=40, iterations=3, fingerprint=b"\1" + bytes(15))
    segments = parse(encode_file(other, SMALL_CODES, SOURCE)).segments
    pairs = zip(SMALL_CODES, segments, strict=True)
    data = write(SMALL, [Iteration(codes, [segment.payload]) for codes, segment in pairs])
    with pytest.raises(BitstreamError, match="iteration 1 is damaged"):
        decode_file(data, SOURCE)


def test_masks_that_take_long_to_read_are_not_described() -> None:
    header = Header(
        width=16,
        height=16 * 65536,
        iterations=6,
        fingerprint=bytes(16),
        adaptive=True,
    )
    codes = np.zeros(header.code_shape, np.uint8)
    data = write(header, [Iteration(codes, [b""]), *[Iteration(codes, [b""], [b""])] * 5])
    assert len(data) < 100
    assert sending_shares(data) == (1.0, *[None] * 5)
