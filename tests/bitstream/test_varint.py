import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.bitstream.forge import groups_of_seven

from rnncodec.bitstream import varint
from rnncodec.errors import BitstreamError


@pytest.mark.parametrize(
    ("value", "packed"),
    [
        (0, "00"),
        (127, "7f"),
        (128, "8100"),
        (16383, "ff7f"),
        (16384, "818000"),
        (varint.LIMIT - 1, "ffffff7f"),
    ],
)
def test_shortest_form(value: int, packed: str) -> None:
    assert varint.pack(value).hex() == packed
    assert varint.unpack(bytes.fromhex(packed), 0) == (value, len(packed) // 2)


@given(st.integers(0, varint.LIMIT - 1), st.binary(max_size=3), st.binary(max_size=3))
def test_round_trip_anywhere_in_a_buffer(value: int, before: bytes, after: bytes) -> None:
    packed = varint.pack(value)
    assert packed == groups_of_seven(value)
    data = before + packed + after
    assert varint.unpack(data, len(before)) == (value, len(before) + len(packed))


@pytest.mark.parametrize("start", ["", "81", "8180", "ffffff"])
def test_an_integer_that_is_not_all_there_yet(start: str) -> None:
    assert varint.unpack(bytes.fromhex(start), 0) is None


@pytest.mark.parametrize(
    ("data", "message"),
    [("8001", "byte 7: .*shortest"), ("ffffffff", "byte 7: .*4 bytes"), ("80", "shortest")],
)
def test_other_forms_are_errors(data: str, message: str) -> None:
    with pytest.raises(BitstreamError, match=message):
        varint.unpack(bytes.fromhex(data), 0, base=7)
