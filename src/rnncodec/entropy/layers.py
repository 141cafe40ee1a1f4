"""Affine maps, windows and the LSTM cell: in floats to train, in integers to code with."""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from rnncodec.entropy import fixed_point as fp
from rnncodec.errors import ModelError

TYPES = {"weight": torch.int8, "exponent": torch.int8, "bias": torch.int32}


class LayerSpec(NamedTuple):
    """What a layer's tensors must look like: `groups` maps of `fan_in` numbers to `outputs`."""

    groups: int
    fan_in: int
    outputs: int
    input_bits: int  # fraction bits of the input: 0 for codes, 7 for activations
    input_limit: int  # largest |input|, in units of 2^-input_bits
    table: Callable[[], fp.Table]


def on_codes(groups: int, fan_in: int, outputs: int) -> LayerSpec:
    """A layer that reads codes and is followed by tanh."""
    return LayerSpec(groups, fan_in, outputs, 0, 1, fp.tanh_table)


def on_activations(
    groups: int, fan_in: int, outputs: int, table: Callable[[], fp.Table] = fp.tanh_table
) -> LayerSpec:
    """A layer that reads activations."""
    return LayerSpec(groups, fan_in, outputs, fp.ACTIVATION, fp.MAX_ACTIVATION, table)


class Layer(nn.Module):
    """`groups` affine maps side by side: `y[g] = x[g] @ weight[g] + bias[g]`.

    Each iteration has its own group; a layer that all iterations share has one. Convolutions are
    this map on gathered windows, so that floats, integers and the wavefront share one form.
    """

    def __init__(self, spec: LayerSpec):
        super().__init__()
        self.spec = spec
        scale = spec.fan_in**-0.5
        self.weight = nn.Parameter(torch.randn(spec.groups, spec.fan_in, spec.outputs) * scale)
        self.bias = nn.Parameter(torch.zeros(spec.groups, spec.outputs))
        if spec.table is fp.gate_table:
            units = spec.outputs // 4
            with torch.no_grad():
                self.bias[:, :units] = 1.0  # at first nothing is forgotten
                self.weight[:, :, 3 * units :] *= 2.0  # the candidate's factor, see `lstm`

    def integers(self) -> tuple[Tensor, Tensor, Tensor]:
        """Weight (G, K, N), exponent e (G, N) and bias (G, N): integers held in floats.

        The largest weight of each output lands in 64..127, except where the exponent is clamped:
        `weight = integer * 2^-e`.
        """
        largest = self.weight.detach().abs().amax(dim=1)
        exponent = torch.floor(torch.log2(fp.MAX_WEIGHT / largest.clamp(min=1e-9)))
        exponent = exponent.clamp(0, fp.MAX_EXPONENT)
        scaled = self.weight.detach() * torch.exp2(exponent).unsqueeze(1)
        weight = torch.round(scaled).clamp(-fp.MAX_WEIGHT, fp.MAX_WEIGHT)
        bias = torch.round(self.bias.detach() * torch.exp2(exponent + self.spec.input_bits))
        return weight, exponent, bias.clamp(-fp.EXACT, fp.EXACT)

    def maps(self, groups: int, *, exact: bool) -> tuple[Tensor, Tensor]:
        """The first `groups` weights (g, K, N) and biases (g, 1, N), rounded if `exact`."""
        weight: Tensor = self.weight
        bias: Tensor = self.bias
        if exact:
            w, exponent, b = self.integers()
            w = w * torch.exp2(-exponent).unsqueeze(1)
            b = b * torch.exp2(-exponent - self.spec.input_bits)
            weight, bias = fp.straight_through(w, weight), fp.straight_through(b, bias)
        return weight[:groups], bias[:groups].unsqueeze(1)

    def forward(self, x: Tensor, *, exact: bool = False) -> Tensor:
        """(g, M, K) -> (g, M, N): the affine map followed by the layer's function."""
        weight, bias = self.maps(x.shape[0], exact=exact)
        return activate(torch.baddbmm(bias, x, weight), self.spec.table(), exact=exact)


def activate(x: Tensor, table: fp.Table, *, exact: bool) -> Tensor:
    """The table's function: smooth, or exactly as it is coded with."""
    return table(x) if exact else table.smooth(x)


def lstm(gates: Tensor, cell: Tensor, *, exact: bool) -> tuple[Tensor, Tensor]:
    """One LSTM step from sigmoid outputs (..., 4N) and the cell (..., N): (h, c), each (..., N).

    `c = f*c + i*j`, `h = o*tanh(c)`, where `j = tanh(u)` is written `2*sigmoid(2u) - 1` and the
    factor 2 lives in the weights: one table then serves all four gates.
    """
    f, i, o, s = gates.chunk(4, dim=-1)
    cell = f * cell + i * (2 * s - 1)
    if exact:
        cell = fp.round_half_up(cell, fp.CELL, fp.MAX_CELL)
    h = o * (2 * activate(2 * cell, fp.gate_table(), exact=exact) - 1)
    if exact:
        h = fp.round_half_up(h, fp.ACTIVATION, fp.MAX_ACTIVATION)
    return h, cell


def windows(x: Tensor, offsets: Sequence[tuple[int, int]]) -> Tensor:
    """Neighbours of each position, zeros outside: (T, B, h, w, C) -> (T, B*h*w, len(offsets)*C).

    >>> windows(torch.tensor([1.0, 2.0]).view(1, 1, 1, 2, 1), [(0, -1), (0, 0)])
    tensor([[[0., 1.],
             [1., 2.]]])
    """
    T, B, h, w, C = x.shape
    reach = max(max(abs(dy), abs(dx)) for dy, dx in offsets)
    padded = nn.functional.pad(x, (0, 0, reach, reach, reach, reach))
    shifted = [
        padded[:, :, reach + dy : reach + dy + h, reach + dx : reach + dx + w]
        for dy, dx in offsets
    ]
    return torch.cat(shifted, dim=-1).reshape(T, B * h * w, len(offsets) * C)


def square(radius: int) -> list[tuple[int, int]]:
    """The (dy, dx) of a full square window, in raster order."""
    reach = range(-radius, radius + 1)
    return [(dy, dx) for dy in reach for dx in reach]


def before(radius: int) -> list[tuple[int, int]]:
    """The (dy, dx) of a square window that precede its centre in raster order."""
    return square(radius)[: (2 * radius + 1) ** 2 // 2]


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
