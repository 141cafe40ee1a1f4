import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from rnncodec.bitstream import Decoder, encode
from rnncodec.errors import BitstreamError

Bits = NDArray[np.uint8]
Probabilities = NDArray[np.int64]


def drawn(seed: int, count: int, low: int = 1, high: int = 65536) -> tuple[Bits, Probabilities]:
    """Bits with the probabilities they were drawn from, those uniform in [low, high)."""
    rng = np.random.default_rng(seed)
    probabilities = rng.integers(low, high, count)
    return (rng.integers(0, 65536, count) < probabilities).astype(np.uint8), probabilities


def entropy_bits(bits: Bits, probabilities: Probabilities) -> float:
    return float(-np.log2(np.where(bits, probabilities, 65536 - probabilities) / 65536).sum())


def decoded_by_the_book(payload: bytes, probabilities: Probabilities) -> list[int]:
    """The decoder of FORMAT.md, line by line, in Python's integers."""
    word, all_64 = (1 << 32), (1 << 64) - 1
    data = payload + bytes(8 + 4 * len(probabilities))
    lower, width, point, at, bits = 0, all_64, int.from_bytes(data[:8], "big"), 8, []
    for p in probabilities.tolist():
        zeros = (65536 - p) * 16777214 // 65536 + 1
        scale = width // (1 << 24)
        q = (point - lower & all_64) // scale
        assert q < 1 << 24
        bits.append(int(q >= zeros))
        if q < zeros:
            width = scale * zeros
        else:
            width, lower = scale * ((1 << 24) - zeros), lower + scale * zeros & all_64
        if width < word:
            lower, width = lower * word & all_64, width * word
            point = point * word & all_64 | int.from_bytes(data[at : at + 4], "big")
            at += 4
    return bits


def test_golden_bytes() -> None:
    ramp = np.arange(64) * 1023 + 500
    bits = (np.arange(64) * 7 % 64 * 1023 + 500 < ramp).astype(np.uint8)
    assert encode(bits, ramp).hex() == "602520399177"
    alternating = np.tile(np.array([0, 1], np.uint8), 32)
    assert encode(alternating, np.full(64, 32768)).hex() == "555555554d2aaaaa56"
    extremes = np.array([1, 65535, 1, 65535])
    assert encode(np.array([0, 1, 1, 0], np.uint8), extremes).hex() == "fffdfe03"


@pytest.mark.parametrize(("low", "high"), [(1, 65536), (1, 300), (32760, 32776), (65300, 65536)])
def test_agrees_with_the_specification(low: int, high: int) -> None:
    bits, probabilities = drawn(3, 3000, low, high)
    assert decoded_by_the_book(encode(bits, probabilities), probabilities) == bits.tolist()


bits_with_probabilities = st.lists(
    st.tuples(
        st.integers(0, 1),
        st.one_of(st.integers(1, 65535), st.sampled_from([1, 2, 32767, 32768, 65534, 65535])),
    ),
    max_size=400,
)


@given(bits_with_probabilities, st.lists(st.integers(0, 400), max_size=5))
def test_round_trip_in_any_chunks(coded: list[tuple[int, int]], cuts: list[int]) -> None:
    bits = np.array([bit for bit, _ in coded], np.uint8)
    probabilities = np.array([p for _, p in coded], np.int64)
    payload = encode(bits, probabilities)
    decoder = Decoder(payload)
    chunks = [decoder.decode(chunk) for chunk in np.split(probabilities, sorted(cuts))]
    assert np.concatenate(chunks).tolist() == bits.tolist()
    assert len(payload) <= entropy_bits(bits, probabilities) * 1.0001 / 8 + 4


@pytest.mark.parametrize("dtype", [np.uint16, np.int32, np.int64])
def test_any_type_of_integer(dtype: type[np.integer]) -> None:
    bits, probabilities = drawn(0, 500)
    payload = encode(bits, probabilities.astype(dtype))
    assert payload == encode(bits, probabilities)
    assert np.array_equal(Decoder(payload).decode(probabilities.astype(dtype)), bits)


@pytest.mark.parametrize(("low", "high"), [(1, 65536), (1, 66), (32000, 33000), (60000, 65536)])
@pytest.mark.parametrize("count", [0, 32, 1000, 100_000])
def test_rate_is_the_entropy(low: int, high: int, count: int) -> None:
    bits, probabilities = drawn(1, count, low, high)
    assert 8 * len(encode(bits, probabilities)) <= entropy_bits(bits, probabilities) * 1.01 + 64


def test_a_carry_into_words_already_written() -> None:
    # A message so close to 1/2 that, after many bits, it is not yet known on which side of 1/2 it
    # lies: what the decoder makes of exactly that number. The encoder must settle for one side.
    _, probabilities = drawn(5, 300)
    bits = Decoder(b"\x80" + bytes(99)).decode(probabilities)
    first_bytes = set()
    for count in range(100, 300):
        payload = encode(bits[:count], probabilities[:count])
        first_bytes.add(payload[0])
        assert np.array_equal(Decoder(payload).decode(probabilities[:count]), bits[:count])
        assert len(payload) <= entropy_bits(bits[:count], probabilities[:count]) / 8 + 4
    assert first_bytes == {0x7F, 0x80}


def test_no_shorter_payload_does() -> None:
    for seed in range(200):
        bits, probabilities = drawn(seed, 20)
        payload = encode(bits, probabilities)
        shorter = [payload[:-1], payload[:-1] + b"\0"]
        assert all(decoded_by_the_book(p, probabilities) != bits.tolist() for p in shorter)


def test_decoding_past_the_end_is_noticed() -> None:
    bits, probabilities = drawn(2, 1000, 20000, 45000)
    decoder = Decoder(encode(bits, probabilities), offset=77)
    decoder.decode(probabilities)
    with pytest.raises(BitstreamError, match=r"byte 77: .* end before the bits"):
        decoder.decode(probabilities)


def test_a_point_outside_of_every_interval() -> None:
    with pytest.raises(BitstreamError, match="byte 12: entropy-coded data is damaged"):
        Decoder(b"\xff" * 8, offset=12).decode(np.array([1000]))


@pytest.mark.parametrize("wrong", [0, 65536, -1])
def test_an_impossible_probability_never_reaches_the_coder(wrong: int) -> None:
    with pytest.raises(ValueError, match=r"expected 1\.\.65535"):
        Decoder(b"").decode(np.array([5, wrong]))


@pytest.mark.parametrize("wrong", [np.array([0.5]), np.array([[5]]), np.array(5)])
def test_probabilities_are_a_row_of_integers(wrong: NDArray[np.integer]) -> None:
    with pytest.raises(ValueError, match=r"expected integers of shape \(N,\)"):
        Decoder(b"").decode(wrong)


@pytest.mark.parametrize(
    "bits", [np.array([0], np.uint8), np.array([0, 2], np.uint8), np.array([0, 1], np.int64)]
)
def test_bits_are_as_many_zeros_and_ones(bits: Bits) -> None:
    with pytest.raises(ValueError, match="bits: expected 2 of uint8 0 or 1"):
        encode(bits, np.array([5, 5]))
