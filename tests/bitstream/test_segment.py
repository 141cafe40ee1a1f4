import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.bitstream.forge import groups_of_seven

from rnncodec.bitstream import Codes, Header, Iteration, Segment, SegmentMode, parse, write
from rnncodec.bitstream.segment import VARINT_LIMIT, pack_varint, unpack_varint
from rnncodec.errors import BitstreamError

HEADER = Header(width=64, height=32, iterations=2, fingerprint=bytes(16))
TILED = Header(width=64, height=32, iterations=1, fingerprint=bytes(16), tile=32)
THREE_TILES = Header(width=96, height=16, iterations=1, fingerprint=bytes(16), tile=32)
CODES = np.random.default_rng(0).integers(0, 2, (2, 2, 4, 32), np.uint8)


def segments() -> list[Segment]:
    """Raw, then entropy coded (with a payload that would not decode to these codes)."""
    return parse(write(HEADER, [Iteration(CODES[0]), Iteration(CODES[1], [b"abc"])])).segments


def with_payload(header: Header, payload: bytes) -> Segment:
    return Segment(
        header=header,
        iteration=1,
        offset=38,
        mode=SegmentMode.ENTROPY,
        checksum=0,
        previous=0,
        payload=payload,
    )


def test_raw_codes_come_back() -> None:
    assert np.array_equal(segments()[0].raw_codes(), CODES[0])


def test_verify_accepts_the_codes_that_were_written() -> None:
    for segment, codes in zip(segments(), CODES, strict=True):
        segment.verify(codes)
        assert segment.checksum != segment.previous, "it has a checksum of its own"


def test_verify_refuses_every_other_bit() -> None:
    segment = segments()[1]
    for index in range(CODES[1].size):
        other = CODES[1].copy()
        other.ravel()[index] ^= 1
        with pytest.raises(BitstreamError, match="byte 76: iteration 2 is damaged"):
            segment.verify(other)


@pytest.mark.parametrize(
    "codes", [CODES[0][:1], CODES[0].astype(np.int64), CODES[0] * 2, CODES[0].ravel()]
)
def test_codes_have_one_shape_and_type(codes: Codes) -> None:
    segment = segments()[0]
    with pytest.raises(ValueError, match=r"codes: expected uint8 0 or 1 of shape \(2, 4, 32\)"):
        segment.verify(codes)


def test_a_decoder_for_each_tile() -> None:
    tiled = with_payload(THREE_TILES, bytes.fromhex("02 00 ff7f 80"))
    half = np.full(8, 32768)
    first_bits = [tiled.decoder(tile).decode(half).tolist() for tile in range(3)]
    assert first_bits == [[1] * 8, [0] * 8, [1] + [0] * 7]


def test_an_error_in_a_tile_names_its_place_in_the_file() -> None:
    tiled = with_payload(TILED, b"\x02aa" + b"\xff" * 8)
    decoder = tiled.decoder(1)
    with pytest.raises(BitstreamError, match="byte 46: entropy-coded data is damaged"):
        decoder.decode(np.full(1, 32768))


@pytest.mark.parametrize(
    ("payload", "message"),
    [
        ("", "byte 43: table of 2 tile lengths is cut short"),
        ("00", "byte 44: table of 2 tile lengths is cut short"),
        ("0001", "byte 43: tile lengths add up to more than the 2 bytes"),
        ("800100", "byte 43: integer does not have its shortest form"),
        ("ffffff7fffffff7f", "byte 43: tile lengths add up to more than the 8 bytes"),
    ],
)
def test_tables_that_do_not_fit(payload: str, message: str) -> None:
    segment = with_payload(THREE_TILES, bytes.fromhex(payload))
    with pytest.raises(BitstreamError, match=message):
        segment.decoder(0)


@pytest.mark.parametrize(
    ("value", "packed"),
    [
        (0, "00"),
        (127, "7f"),
        (128, "8100"),
        (16383, "ff7f"),
        (16384, "818000"),
        (VARINT_LIMIT - 1, "ffffff7f"),
    ],
)
def test_integers_have_their_shortest_form(value: int, packed: str) -> None:
    assert pack_varint(value).hex() == packed
    assert unpack_varint(bytes.fromhex(packed), 0) == (value, len(packed) // 2)


@given(st.integers(0, VARINT_LIMIT - 1), st.binary(max_size=3), st.binary(max_size=3))
def test_integers_come_back_from_anywhere_in_a_buffer(
    value: int, before: bytes, after: bytes
) -> None:
    packed = pack_varint(value)
    assert packed == groups_of_seven(value)
    data = before + packed + after
    assert unpack_varint(data, len(before)) == (value, len(before) + len(packed))


@pytest.mark.parametrize("start", ["", "81", "8180", "ffffff"])
def test_an_integer_that_is_not_all_there_yet(start: str) -> None:
    assert unpack_varint(bytes.fromhex(start), 0) is None


@pytest.mark.parametrize(
    ("data", "message"),
    [("8001", "byte 7: .*shortest"), ("ffffffff", "byte 7: .*4 bytes"), ("80", "shortest")],
)
def test_other_forms_of_an_integer_are_errors(data: str, message: str) -> None:
    with pytest.raises(BitstreamError, match=message):
        unpack_varint(bytes.fromhex(data), 0, base=7)
