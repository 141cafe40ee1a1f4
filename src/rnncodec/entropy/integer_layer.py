"""One layer in integers: its stored form, its folded form, and the proof that it is exact."""

from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import Tensor

from rnncodec.entropy import fixed_point as fp
from rnncodec.entropy.layers import LayerSpec
from rnncodec.errors import ModelError

TYPES = {"weight": torch.int8, "exponent": torch.int8, "bias": torch.int32}


class Stored(NamedTuple):
    """A layer as a model file holds it: `y = (x @ weight + bias) / 2^(exponent + input bits)`."""

    weight: Tensor  # int8 (G, K, N)
    exponent: Tensor  # int8 (G, N)
    bias: Tensor  # int32 (G, N)


def stored(tensors: Mapping[str, Tensor], name: str) -> Stored:
    """The layer's tensors by name."""
    return Stored(*(tensors[f"{name}.{part}"] for part in TYPES))


class IntegerLayer:
    """`entry[clamp(floor(x @ weight + bias))]`: an affine map and its table, folded together.

    Folded in are the change to the table's unit, its offset and the 1/2 of rounding, which is
    exact: scaling by powers of two, and a sum that `largest_sum` bounds. Entries are `result`s.
    """

    def __init__(self, spec: LayerSpec, stored: Stored, dtype: torch.dtype, result: torch.dtype):
        weight, exponent, bias = (tensor.to(torch.float64) for tensor in stored)
        table = spec.table()
        unit = torch.exp2(table.bits - exponent - spec.input_bits)  # of the sum, in table steps
        self.weight = (weight * unit.unsqueeze(1)).to(dtype)
        self.bias = (bias * unit + table.half + 0.5).unsqueeze(1).to(dtype)
        self.top = 2 * table.half - 1
        self.entries = table.values.to(result)

    def __call__(self, x: Tensor, t0: int, t1: int) -> Tensor:
        """(g, M, K) -> (g, M, N), with the groups t0..t1."""
        y = torch.baddbmm(self.bias[t0:t1], x, self.weight[t0:t1])
        index = y.clamp_(0, self.top).long().view(-1)
        return self.entries.index_select(0, index).view(y.shape)


def largest_sum(spec: LayerSpec, stored: Stored) -> int:
    """The largest magnitude any partial sum of the layer can reach, in its smallest unit."""
    weight, exponent, bias = (tensor.to(torch.float64) for tensor in stored)
    table = spec.table()
    shift = exponent + spec.input_bits - table.bits  # from accumulator to table steps
    unit = shift.clamp(min=1)
    sums = (weight.abs().sum(dim=1) * spec.input_limit + bias.abs()) * torch.exp2(unit - shift)
    sums = sums + (table.half + 0.5) * torch.exp2(unit)
    return int(sums.max()) if sums.numel() else 0


def check_layer(name: str, spec: LayerSpec, layer: Stored) -> None:
    """Raise ModelError unless the tensors are what `spec` says and their sums are exact."""
    shapes = (spec.groups, spec.fan_in, spec.outputs), (spec.groups, spec.outputs)
    for part, tensor in layer._asdict().items():
        shape = shapes[part != "weight"]
        if tensor.shape != shape or tensor.dtype != TYPES[part]:
            raise ModelError(
                f"{name}.{part}: expected {TYPES[part]} {shape}, got {tensor.dtype} "
                f"{tuple(tensor.shape)}; the model file is damaged or of another version"
            )
    if not bool(((layer.exponent >= 0) & (layer.exponent <= fp.MAX_EXPONENT)).all()):
        raise ModelError(
            f"{name}.exponent: expected 0..{fp.MAX_EXPONENT}, got "
            f"{layer.exponent.unique().tolist()}; the model file is damaged"
        )
    largest = largest_sum(spec, layer)
    if largest >= fp.EXACT:
        raise ModelError(
            f"{name}: its sums could reach {largest}, but must stay below {fp.EXACT} to be exact "
            "in float32; train with weight decay or fewer hidden units"
        )
