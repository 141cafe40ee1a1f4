import numpy as np
import pytest
import torch
from scipy.special import expit

from rnncodec.entropy import fixed_point as fp
from rnncodec.entropy.layers import (
    IntegerLayer,
    Layer,
    Stored,
    before,
    largest_sum,
    lstm,
    on_activations,
    on_codes,
    square,
    windows,
)


def test_lstm_is_the_textbook_one():
    rng = np.random.default_rng(0)
    f, i, o, j, c = rng.normal(size=(5, 4))
    pre = np.concatenate([f, i, o, 2 * j])  # the factor of tanh(u) = 2 sigmoid(2u) - 1
    h, cell = lstm(torch.from_numpy(expit(pre)), torch.from_numpy(c), exact=False)
    expected = expit(f) * c + expit(i) * np.tanh(j)
    np.testing.assert_allclose(cell, expected)
    np.testing.assert_allclose(h, expit(o) * np.tanh(expected))


def test_windows_and_a_layer_are_a_convolution():
    x = torch.randn(2, 3, 5, 6, 4)
    weight = torch.randn(7, 4, 3, 3)
    got = windows(x, square(1)) @ weight.permute(2, 3, 1, 0).reshape(36, 7)
    expected = torch.nn.functional.conv2d(x.flatten(0, 1).permute(0, 3, 1, 2), weight, padding=1)
    torch.testing.assert_close(got.view(6, 5, 6, 7), expected.permute(0, 2, 3, 1))


def test_the_mask_is_what_precedes_in_raster_order():
    assert before(1) == [(-1, -1), (-1, 0), (-1, 1), (0, -1)]
    assert len(before(3)) == 24


@pytest.mark.parametrize("scale", [1e-9, 1e-3, 0.1, 1.0, 30.0])
def test_weights_use_seven_bits_and_bias_that_of_the_sum(scale):
    layer = Layer(on_activations(2, 9, 3))
    with torch.no_grad():
        layer.weight.mul_(scale)
        layer.bias.normal_()
    weight, exponent, bias = layer.integers()
    largest = weight.abs().amax(dim=1)
    assert (largest <= 127).all()
    assert ((largest >= 63) | (exponent == fp.MAX_EXPONENT)).all()
    step = torch.exp2(-exponent)
    assert ((weight * step.unsqueeze(1) - layer.weight).abs() <= step.unsqueeze(1) / 2).all()
    assert ((bias * step / 128 - layer.bias).abs() <= step / 256).all()


def test_forget_gates_start_open():
    layer = Layer(on_activations(1, 8, 8, fp.gate_table))
    assert layer.bias.tolist() == [[1.0, 1.0, 0, 0, 0, 0, 0, 0]]


def test_rounded_layers_still_learn():
    layer = Layer(on_codes(1, 6, 2))
    layer(torch.ones(1, 4, 6), exact=True).sum().backward()
    assert (layer.weight.grad != 0).all()
    assert (layer.bias.grad != 0).all()


def stored(weights, exponent, bias):
    return Stored(
        torch.tensor(weights, dtype=torch.int8).view(1, -1, 1),
        torch.tensor([[exponent]], dtype=torch.int8),
        torch.tensor([[bias]], dtype=torch.int32),
    )


@pytest.mark.parametrize(
    ("exponent", "bias", "x", "expected"),
    [
        (7, 0, [1, 1], 1),  # 64 * 1 - 63 * 1 = 1 of 2^-7: tanh(1/128) * 128 = 1
        (9, 1, [1, 1], 1),  # 2 of 2^-9 is half a step: up
        (9, 0, [1, 1], 0),  # 1 of 2^-9 is a quarter: down
        (9, -3, [1, 1], 0),  # -2 of 2^-9: halves go up
        (0, 0, [1, 0], 127),  # far outside the table
        (0, 0, [-1, 0], -127),
    ],
)
def test_rounds_halves_up_and_clamps(exponent, bias, x, expected):
    spec = on_codes(1, 2, 1)
    layer = IntegerLayer(spec, stored([64, -63], exponent, bias), torch.float32, torch.int8)
    assert layer(torch.tensor([[x]], dtype=torch.float32), 0, 1).item() == expected


def test_the_bound_is_the_largest_sum_of_products_bias_and_offset():
    layer = stored([100, -100], 9, -5)
    # In accumulator units: 200 * 127 + 5, and the table's middle 1024.5 steps of 2^9.
    assert largest_sum(on_activations(1, 2, 1), layer) == 200 * 127 + 5 + 1024.5 * 2**9
    # Coarser than the table: in half steps of the table, 2 * 2^7 to the unit.
    assert largest_sum(on_codes(1, 2, 1), stored([100, -100], 0, -5)) == 205 * 2**8 + 2 * 1024.5
