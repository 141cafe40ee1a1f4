import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.bitstream.forge import Forged

from rnncodec.bitstream import ColourMode, Header
from rnncodec.bitstream.header import MAX_ICC_PROFILE, required_size, unpack
from rnncodec.errors import BitstreamError

sizes_and_tiles = st.one_of(  # (width, height, tile), none with pieces too large or too many
    st.tuples(st.integers(1, 4096), st.integers(1, 4096), st.just(0)),
    st.tuples(st.integers(1, 2**20), st.just(16), st.just(0)),
    st.tuples(st.integers(1, 65520), st.integers(1, 65504), st.integers(64, 256)),
    st.tuples(st.integers(1, 1024), st.integers(1, 1024), st.integers(1, 65535)),
)
headers = st.builds(
    lambda size, **fields: Header(width=size[0], height=size[1], tile=16 * size[2], **fields),
    sizes_and_tiles,
    iterations=st.integers(1, 255),
    fingerprint=st.binary(min_size=16, max_size=16),
    colour=st.sampled_from(ColourMode),
    icc_profile=st.binary(max_size=100),
    adaptive=st.booleans(),
)


@given(headers)
def test_round_trip(header: Header) -> None:
    data = header.pack()
    assert required_size(data) == len(data) <= 40 + (8 + len(header.icc_profile))
    assert unpack(data) == header


@given(st.integers(1, 300), st.integers(1, 300), st.integers(0, 5))
def test_tiles_cover_the_code_map_once(width: int, height: int, blocks: int) -> None:
    header = Header(
        width=width, height=height, iterations=1, fingerprint=bytes(16), tile=16 * blocks
    )
    covered = np.zeros(header.code_shape[:2], int)
    tiles = list(header.tiles())
    for tile in tiles:
        covered[tile.slices] += 1
        assert covered[tile.slices].shape == (tile.h, tile.w)
        assert not blocks or max(tile.h, tile.w) <= blocks
    assert (covered == 1).all()
    assert len(tiles) == header.tile_count
    assert tiles == sorted(tiles)


def test_sizes_in_blocks() -> None:
    header = Header(width=17, height=160, iterations=1, fingerprint=bytes(16))
    assert (header.code_shape, header.raw_size, header.tile_count) == ((10, 2, 32), 80, 1)


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("width", 0, "byte 8: width=0: expected 1 or more"),
        ("height", -1, "byte 12: height=-1: expected 1 or more"),
        ("iterations", 0, r"byte 7: iterations=0: expected 1\.\.255"),
        ("iterations", 256, r"byte 7: iterations=256: expected 1\.\.255"),
        ("tile", 8, "byte 16: tile=8: expected a multiple of 16"),
        ("tile", 1 << 20, "byte 16: tile=1048576"),
        ("fingerprint", b"abc", "byte 18: fingerprint: expected 16 bytes, got 3"),
        ("icc_profile", bytes(MAX_ICC_PROFILE + 1), "byte 38: colour profile of 4194305 bytes"),
        ("width", 16 << 24, "byte 8: 268435456x1 pixels are 16777216 blocks"),
        ("width", (16 << 16) + 1, "byte 16: tile=0 leaves pieces of 65537 blocks"),
    ],
)
def test_what_no_header_can_say(field: str, value: int | bytes, message: str) -> None:
    fields = {"width": 1, "height": 1, "iterations": 1, "fingerprint": bytes(16), field: value}
    with pytest.raises(BitstreamError, match=message):
        Header(**fields)


@pytest.mark.parametrize(
    ("side", "tile", "message"),
    [
        (4097, 0, "byte 16: tile=0 leaves pieces of 66049 blocks of 16x16; at most 65536"),
        (4097, 4112, "byte 16: tile=4112 leaves pieces of 66049 blocks"),
        (1025, 16, "byte 16: tile=16 cuts 1025x1025 pixels into 4225 tiles; at most 4096"),
    ],
)
def test_pieces_too_large_and_too_many(side: int, tile: int, message: str) -> None:
    with pytest.raises(BitstreamError, match=message):
        Header(width=side, height=side, iterations=1, fingerprint=bytes(16), tile=tile)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"version": 2}, "byte 4: format version 2: .* newer version of rnncodec"),
        ({"flags": 4}, "byte 5: flags=4 is unknown here; a newer version"),
        ({"colour": 2}, "byte 6: colour=2 is unknown here; a newer version"),
        ({"width": 0}, "byte 8: width=0"),
        ({"iterations": 0}, "byte 7: iterations=0"),
        ({"width": 1 << 31, "height": 1 << 31}, "byte 8: 2147483648x2147483648 pixels"),
        ({"icc": b"abc", "icc_length": 0}, r"byte 38: colour profile of 0 bytes: expected 1\.\."),
        ({"icc": b"abc", "icc_length": 1 << 31}, "byte 38: colour profile of 2147483648 bytes"),
        ({"icc": b"abc", "icc_length": 2}, "byte 38: the colour profile is damaged"),
    ],
)
def test_forged_headers(change: dict[str, int], message: str) -> None:
    data = Forged(**{"width": 20, "height": 20, "iterations": 3, **change}).pack()
    with pytest.raises(BitstreamError, match=message):
        unpack(data[: required_size(data)])


@pytest.mark.parametrize("data", [b"\x89PNG\r\n\x1a\n", b"G", b"\xff\xd8\xff\xe0"])
def test_other_formats_are_recognised_by_their_first_bytes(data: bytes) -> None:
    with pytest.raises(BitstreamError, match="byte 0: not an rnc file"):
        required_size(data)


def test_a_damaged_header() -> None:
    data = bytearray(Header(width=9, height=9, iterations=1, fingerprint=bytes(16)).pack())
    data[20] ^= 1
    with pytest.raises(BitstreamError, match="byte 34: the header is damaged"):
        required_size(data)
