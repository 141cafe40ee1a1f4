import numpy as np
import pytest
import torch

from rnncodec.entropy import Wavefront, quantize
from rnncodec.errors import DataError


class KnownCodes:
    """Stands in for the range decoder: checks each probability, then tells the bits."""

    def __init__(self, codes, probabilities):
        self.codes, self.probabilities = codes.numpy(), probabilities.numpy()
        height, width = codes.shape[2:4]
        positions = [(y, x) for y in range(height) for x in range(width)]
        self.order = sorted(positions, key=lambda p: (p[1] + 4 * p[0], p[0]))
        self.done = [0] * codes.shape[1]

    def __call__(self, t, probabilities):
        assert probabilities.dtype == np.int32
        start = self.done[t]
        self.done[t] += probabilities.shape[1]
        y, x = zip(*self.order[start : self.done[t]], strict=True)
        np.testing.assert_array_equal(probabilities, self.probabilities[:, t, y, x])
        return self.codes[:, t, y, x]


@pytest.mark.parametrize("name", ["binary_rnn", "progressive"])
@pytest.mark.parametrize("size", [(1, 1), (1, 9), (9, 1), (5, 6), (3, 22), (12, 5), (7, 31)])
@pytest.mark.parametrize("stops", [(3,), (1, 2, 3), (2, 3), (2,)])
def test_agrees_with_the_parallel_pass(make_model, make_codes, name, size, stops):
    model = quantize(make_model(name))
    codes = make_codes(2, stops[-1], *size)
    known = KnownCodes(codes, model.probabilities(codes))
    wavefront = Wavefront(model, size, iterations=stops[-1], batch=2)
    for stop in stops:
        wavefront.advance(stop, known)
        assert torch.equal(wavefront.codes(), codes[:, :stop])
    assert known.done == [size[0] * size[1]] * stops[-1]


def test_agrees_at_full_width_in_float64(make_model, make_codes):
    model = quantize(make_model("progressive", hidden=64), dtype=torch.float64)
    codes = make_codes(1, 3, 6, 9)
    narrow = quantize(make_model("progressive", hidden=64))
    known = KnownCodes(codes, narrow.probabilities(codes))
    wavefront = Wavefront(model, (6, 9), iterations=3)
    wavefront.advance(3, known)
    assert torch.equal(wavefront.codes(), codes)


def test_a_prefix_asks_for_no_later_iteration(make_model, make_codes):
    model = quantize(make_model("progressive"))
    codes = make_codes(1, 3, 4, 5)
    known = KnownCodes(codes, model.probabilities(codes))
    Wavefront(model, (4, 5), iterations=3).advance(2, known)
    assert known.done == [20, 20, 0]


def test_advances_only_forwards(make_model):
    wavefront = Wavefront(quantize(make_model("binary_rnn")), (2, 2), iterations=2)
    wavefront.advance(1, lambda t, p: np.zeros_like(p, dtype=np.uint8))
    with pytest.raises(DataError, match=r"iteration 1: expected 2\.\.2"):
        wavefront.advance(1, lambda t, p: np.zeros_like(p, dtype=np.uint8))


@pytest.mark.parametrize(("size", "iterations"), [((2, 2), 4), ((2, 2), 0), ((0, 2), 1)])
def test_refuses_what_the_model_cannot_decode(make_model, size, iterations):
    model = quantize(make_model("binary_rnn"))
    with pytest.raises(DataError, match=r"expected 1\.\.3 iterations and no empty side"):
        Wavefront(model, size, iterations=iterations)
