import numpy as np
import pytest

from rnncodec.bitstream import position_order


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
