"""The number formats and lookup tables of exact coding: integers that are equal on every machine.

| quantity                | unit  | range           |
|-------------------------|-------|-----------------|
| code                    | 1     | -1, 0, +1       |
| activation (tanh, h)    | 2^-7  | -127 .. 127     |
| weight                  | 2^-e  | -127 .. 127     |
| gate (sigmoid)          | 2^-10 | 0 .. 1024       |
| LSTM cell               | 2^-10 | -8191 .. 8191   |
| probability of a +1 bit | 2^-16 | 1 .. 65535      |

A table is entered with `floor(value / unit + 1/2)`, clamped to its range. Its entries come from
`decimal`, whose `exp` is correctly rounded by specification, so no platform's libm has a say.
"""

from collections.abc import Callable
from decimal import ROUND_FLOOR, Decimal, localcontext
from functools import cache

import torch
from torch import Tensor

from rnncodec.geometry import UNSENT

ACTIVATION = 7  # fraction bits
GATE = 10
CELL = 10
PROBABILITY = 16
MAX_ACTIVATION = 127
MAX_CELL = 8191
MAX_WEIGHT = 127
MAX_EXPONENT = 10  # finer weights would only push the table's offset towards the limit
EXACT = 1 << 24  # float32 holds every integer below this


class Table:
    """A function of a fixed-point number: `values[clamp(floor(x * 2^bits + 1/2) + half)]`.

    The float function that the table samples is `smooth`; `scale` is the unit of the entries.
    """

    def __init__(self, smooth: Callable[[Tensor], Tensor], values: Tensor, bits: int, scale: int):
        self.smooth = smooth
        self.values = values
        self.bits = bits
        self.half = len(values) // 2
        self.scale = 2.0**-scale

    def __call__(self, x: Tensor) -> Tensor:
        """Look up real numbers; the gradient is that of the smooth function."""
        smooth = self.smooth(x)
        index = torch.floor(x.detach() * 2.0**self.bits + 0.5) + self.half
        index = index.clamp(0, 2 * self.half - 1).long()
        return straight_through(self.values.to(x)[index] * self.scale, smooth)


def signs(bits: Tensor) -> Tensor:
    """Codes -1, +1 and 0 of the bits 0, 1 and UNSENT, as int8.

    >>> signs(torch.tensor([0, 1, UNSENT], dtype=torch.uint8))
    tensor([-1,  1,  0], dtype=torch.int8)
    """
    codes = bits.to(torch.int8)
    return codes.mul(2).sub_(1).masked_fill_(codes == UNSENT, 0)


def straight_through(value: Tensor, smooth: Tensor) -> Tensor:
    """Exactly `value`, with the gradient of `smooth`."""
    return value.detach() + (smooth - smooth.detach())


def round_half_up(x: Tensor, bits: int, limit: int) -> Tensor:
    """The nearest multiple of 2^-bits within +-limit of them; the gradient passes unchanged."""
    steps = torch.floor(x.detach() * 2.0**bits + 0.5).clamp(-limit, limit)
    return straight_through(steps * 2.0**-bits, x)


def _sigmoid(x: Decimal) -> Decimal:
    return 1 / (1 + (-x).exp())


def _sample(function: Callable[[Decimal], Decimal], half: int, bits: int, scale: int) -> Tensor:
    """The integers nearest to `2^scale * function(i / 2^bits)` for -half <= i < half."""
    with localcontext(prec=28, rounding=ROUND_FLOOR):
        exact = [function(Decimal(i) / 2**bits) * 2**scale for i in range(-half, half)]
        values = [int((value + Decimal("0.5")).to_integral_value()) for value in exact]
    return torch.tensor(values, dtype=torch.int32, device="cpu")


@cache
def tanh_table() -> Table:
    """Activations: tanh over [-8, 8)."""
    values = _sample(lambda x: 2 * _sigmoid(2 * x) - 1, 1024, 7, ACTIVATION)
    return Table(torch.tanh, values.clamp(-MAX_ACTIVATION, MAX_ACTIVATION), 7, ACTIVATION)


@cache
def gate_table() -> Table:
    """Gates: sigmoid over [-8, 8)."""
    return Table(torch.sigmoid, _sample(_sigmoid, 1024, 7, GATE), 7, GATE)


@cache
def probability_table() -> Table:
    """P(bit = +1): sigmoid over [-16, 16), never 0 or 1."""
    values = _sample(_sigmoid, 4096, 8, PROBABILITY).clamp(1, (1 << PROBABILITY) - 1)
    return Table(torch.sigmoid, values, 8, PROBABILITY)
