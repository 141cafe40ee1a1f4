import sys
from collections.abc import Iterator

import numpy as np
import pytest

from rnncodec.evaluation import runner
from rnncodec.evaluation.runner import Watched

MEGABYTES_64 = 2**26


def allocate(size: int) -> Iterator[int]:
    """Touch ``size`` bytes while making the first item, nothing for the second."""
    yield int(np.ones(size, np.uint8).sum())
    yield 0


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the peak is unknown, and None")
def test_the_peak_is_that_of_making_the_items_and_not_of_using_them() -> None:
    small = Watched(allocate(1))
    for _ in small:
        np.ones(MEGABYTES_64, np.uint8).sum()
    large = Watched(allocate(MEGABYTES_64))
    assert list(large) == [MEGABYTES_64, 0]
    assert small.most is not None
    assert large.most is not None
    assert large.most - small.most > MEGABYTES_64 // 2


def test_an_unknown_peak_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner, "RESET", runner.RESET / "none")
    watched = Watched(allocate(1))
    assert list(watched) == [1, 0]
    assert watched.most is None
