import pickle
import threading
from types import SimpleNamespace

import pytest

from rnncodec.data.tile_module import ShardPrefetcher
from rnncodec.data.tile_order import Order
from rnncodec.errors import DataError

TOTAL, SHARD = 40 * 1024, 2048


class RemoteSet:
    """Stands in for a remote set of shards of 2048 tiles: what was fetched, in order."""

    def __init__(self, broken: int = -1) -> None:
        self.fetched: list[int] = []
        self.broken = broken

    def __len__(self) -> int:
        return TOTAL

    def shard_of(self, tile: int) -> int:
        return tile // SHARD

    def open(self, shard: int) -> SimpleNamespace:
        if shard == self.broken:
            raise DataError("gone")
        self.fetched.append(shard)
        return SimpleNamespace(close=lambda: None)


def look(prefetcher: ShardPrefetcher, index: int) -> set[int]:
    """What was fetched because of this place."""
    before = len(prefetcher.tiles.fetched)
    prefetcher.order.tile(index)
    prefetcher.prefetch()
    if prefetcher._thread is not None:
        prefetcher._thread.join()
    return set(prefetcher.tiles.fetched[before:])


def shards_of(order: Order, places: range) -> set[int]:
    return {order.tile(place) // SHARD for place in places}


def make(broken: int = -1) -> ShardPrefetcher:
    return ShardPrefetcher(RemoteSet(broken), Order(TOTAL, window=4, seed=1))


WINDOW = 4 * 1024


@pytest.mark.parametrize("start", [0, WINDOW, 9 * WINDOW, 13 * WINDOW])
def test_this_window_and_the_next_even_into_the_next_pass(start: int):
    expected = shards_of(Order(TOTAL, window=4, seed=1), range(start, start + 2 * WINDOW))
    assert look(make(), start + 5) == expected


def test_nothing_new_within_a_window():
    prefetcher = make()
    look(prefetcher, 0)
    assert look(prefetcher, WINDOW - 1) == set()
    assert look(prefetcher, WINDOW) != set()


def test_what_fails_is_left_to_those_who_need_it():
    prefetcher = make(broken=make().order.tile(0) // SHARD)
    assert len(look(prefetcher, 0)) < 8
    assert look(prefetcher, 6 * WINDOW) != set(), "and the next window is tried again"


def test_a_pickled_one_starts_anew():
    prefetcher = make()
    first = look(prefetcher, 0)
    copy = pickle.loads(pickle.dumps(prefetcher))
    assert look(copy, 0) == first


def test_nobody_waits_for_it():
    prefetcher, may_go_on = make(), threading.Event()
    prefetcher.tiles.open = lambda _: may_go_on.wait() and SimpleNamespace(close=lambda: None)
    prefetcher.order.tile(0)
    prefetcher.prefetch()
    assert prefetcher._thread.is_alive()
    assert prefetcher._thread.daemon, "nor at the end of the process"
    may_go_on.set()
    prefetcher._thread.join()
