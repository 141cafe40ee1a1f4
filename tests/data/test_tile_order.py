import itertools

import numpy as np
import pytest

from rnncodec.data.tile_order import Mixture, Order, shares
from rnncodec.errors import ConfigError


@pytest.mark.parametrize("total", [1, 1023, 1024, 1025, 5000])
@pytest.mark.parametrize("window", [1, 3, 100])
def test_each_tile_once_a_pass(total: int, window: int):
    order = Order(total, window=window, seed=3)
    passes = [[order.tile(p * total + i) for i in range(total)] for p in range(2)]
    assert sorted(passes[0]) == sorted(passes[1]) == list(range(total))
    if total > 1000:
        assert passes[0] != passes[1]
        assert passes[0] != sorted(passes[0])


def test_a_place_depends_on_nothing_asked_before():
    fresh = [Order(3000, window=2, seed=1).tile(index) for index in (5999, 0, 3000, 2999)]
    used = Order(3000, window=2, seed=1)
    for index in range(0, 9000, 7):
        used.tile(index)
    assert [used.tile(index) for index in (5999, 0, 3000, 2999)] == fresh


def test_reading_stays_in_a_window():
    order = Order(20 * 1024, window=4, seed=0)
    for start in range(0, 20 * 1024, 4 * 1024):
        assert len({order.tile(start + i) // 1024 for i in range(4 * 1024)}) == 4


def test_another_seed_or_set_has_another_order():
    orders = [Order(5000, window=8, seed=s, stream=k) for s, k in ((0, 0), (1, 0), (0, 1))]
    firsts = [[order.tile(index) for index in range(50)] for order in orders]
    assert all(a != b for a, b in itertools.combinations(firsts, 2))


def test_neighbours_in_an_order_are_unrelated():
    order = Order(64 * 1024, window=64, seed=0)
    tiles = np.array([order.tile(index) for index in range(20000)])
    assert abs(np.corrcoef(tiles[:-1], tiles[1:])[0, 1]) < 0.03


def test_a_mixture_keeps_its_weights_and_leaves_no_gap():
    mixture = Mixture([3, 1, 0.01], seed=0)
    places = [mixture.place(index) for index in range(3 * 4096)]
    for which, share in enumerate(mixture.shares):
        assert [place for found, place in places if found == which] == list(range(3 * share))
    assert Mixture([3, 1, 0.01], seed=0).place(9000) == places[9000]
    first = [found for found, _ in places[:400]]
    assert 0.6 < first.count(0) / 400 < 0.9


def test_shares():
    assert sum(shares([1, 1, 1])) == 4096
    assert shares([5]) == [4096]
    with pytest.raises(ConfigError, match=r"data\.weights=\[1, 0\]: expected positive"):
        shares([1, 0])
    with pytest.raises(ConfigError, match="at least 1/4096 of their sum"):
        shares([1, 0.00001])
