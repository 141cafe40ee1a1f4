import pytest
import torch

from rnncodec.entropy.integer_layer import IntegerLayer, Stored, largest_sum
from rnncodec.entropy.layers import on_activations, on_codes


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
