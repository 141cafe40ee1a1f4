"""The mask against FORMAT.md's words in plain Python, and against the information it carries."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rnncodec.bitstream import Decoder, Mask, encode, position_order

sizes = st.tuples(st.integers(1, 12), st.integers(1, 12))


def by_the_book(ends: np.ndarray, iterations: int) -> list[list[tuple[int, int]]]:
    """Flags and probabilities of iterations 2.. of a map of how many each position sends."""
    h, w = ends.shape
    counts = {c: [0, 0] for c in range(9)}
    ended: set[tuple[int, int]] = set()
    found = []
    for t in range(1, iterations):
        flags = []
        for diagonal in range(w + 4 * (h - 1)):
            places = [(y, diagonal - 4 * y) for y in range(h) if 0 <= diagonal - 4 * y < w]
            places = [place for place in places if place not in ended]
            seen = []
            for y, x in places:
                around = itertools.product((y - 1, y, y + 1), (x - 1, x, x + 1))
                c = sum(place in ended for place in around)
                n0, n1 = counts[c]
                flag = int(ends[y, x] == t)
                p = max(1, 65536 * (2 * n1 + 1) // (2 * n0 + 2 * n1 + 2))
                flags.append((flag, p))
                seen.append(((y, x), c, flag))
            for place, c, flag in seen:
                counts[c][flag] += 1
                if flag:
                    ended.add(place)
        found.append(flags)
    return found


@settings(max_examples=60, deadline=None)
@given(sizes, st.integers(2, 6), st.integers(0, 1 << 32))
def test_flags_and_probabilities_are_those_of_the_format(
    size: tuple[int, int], iterations: int, seed: int
) -> None:
    ends = np.random.default_rng(seed).integers(1, iterations + 1, size)
    mask, reader = Mask(*size), Mask(*size)
    in_order = ends.ravel()[position_order(*size)]
    for t, expected in enumerate(by_the_book(ends, iterations), start=1):
        flags, probabilities = mask.flags(in_order > t)
        pairs = zip(flags.tolist(), probabilities.tolist(), strict=True)
        assert list(pairs) == expected
        decoded = reader.read(Decoder(encode(flags, probabilities)))
        assert np.array_equal(decoded, in_order > t)


def cost(ends: np.ndarray, iterations: int) -> tuple[int, float]:
    """Bytes of a mask as coded, and its information in bits by the book."""
    mask, order = Mask(*ends.shape), position_order(*ends.shape)
    coded = sum(len(encode(*mask.flags(ends.ravel()[order] > t))) for t in range(1, iterations))
    flags = itertools.chain(*by_the_book(ends, iterations))
    return coded, sum(-math.log2((p if flag else 65536 - p) / 65536) for flag, p in flags)


def test_a_mask_costs_its_information() -> None:
    ends = np.random.default_rng(0).integers(1, 9, (24, 24))
    coded, ideal = cost(ends, 8)
    assert ideal - 8 <= 8 * coded <= ideal + 7 * 8  # a byte for each iteration's end


def test_what_ends_together_costs_little() -> None:
    y, x = np.mgrid[:24, :24]
    patches = 2 + 3 * ((x // 12 + y // 12) % 2)
    scattered = np.random.default_rng(0).permutation(patches.ravel()).reshape(24, 24)
    assert cost(patches, 6)[0] < 60
    assert cost(scattered, 6)[0] > 100


def test_what_has_ended_sends_no_more() -> None:
    mask = Mask(1, 2)
    mask.flags(np.array([True, False]))
    with pytest.raises(ValueError, match="a position that has ended sends nothing"):
        mask.flags(np.array([True, True]))


@pytest.mark.parametrize(("h", "w"), [(1, 1), (1, 9), (9, 1), (2, 3), (7, 5), (19, 30)])
def test_positions_are_sorted_by_x_plus_4y_then_y(h: int, w: int) -> None:
    keyed = sorted((x + 4 * y, y, x) for y in range(h) for x in range(w))
    assert position_order(h, w).tolist() == [y * w + x for _, y, x in keyed]


def test_what_a_7x7_mask_sees_has_been_coded_before() -> None:
    h, w = 9, 14
    rank = np.empty(h * w, int)
    rank[position_order(h, w)] = np.arange(h * w)
    rank = rank.reshape(h, w)
    for y in range(h):
        for x in range(w):
            above = rank[max(0, y - 3) : y, max(0, x - 3) : x + 4]
            left = rank[y, max(0, x - 3) : x]
            assert max([-1, *above.ravel(), *left]) < rank[y, x]
