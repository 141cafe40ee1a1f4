"""The contract of an entropy model (codes in, the logit of every bit out), and its layers.

They compute in floats, to train; `exact` rounds as coding does.
"""

import importlib
import math
import pkgutil
from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from rnncodec import plugins
from rnncodec.entropy import fixed_point as fp
from rnncodec.errors import ConfigError, DataError, ModelError
from rnncodec.geometry import BITS


class LayerSpec(NamedTuple):
    """What a layer's tensors must look like: `groups` maps of `fan_in` numbers to `outputs`."""

    groups: int
    fan_in: int
    outputs: int
    table: Callable[[], fp.Table] = fp.tanh_table  # the function that follows
    input_bits: int = fp.ACTIVATION  # fraction bits of the input, an activation
    input_limit: int = fp.MAX_ACTIVATION  # largest |input|, in units of 2^-input_bits


def on_codes(groups: int, fan_in: int, outputs: int) -> LayerSpec:
    """A layer that reads codes and is followed by tanh."""
    return LayerSpec(groups, fan_in, outputs, input_bits=0, input_limit=1)


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


class EntropyModel(nn.Module):
    """P(bit = +1) from the bits coded before it: earlier iterations and positions.

    A model is its layers (`specs`) and its float forward pass. Coding rebuilds the same network in
    integers from the layers (`rnncodec.entropy.quantize`), and knows two ways to wire them, by
    their names (`IntegerModel`): a model wired otherwise has to be taught there, too.
    """

    def __init__(self, iterations: int = 16, hidden: int = 64):
        super().__init__()
        if iterations < 1 or hidden < 1:
            raise ConfigError(
                f"entropy={self.name}: iterations={iterations}, hidden={hidden}: "
                "expected at least 1; raise them"
            )
        self.iterations = iterations
        self.hidden = hidden
        self.layers = nn.ModuleDict(
            {name: Layer(spec) for name, spec in self.specs(iterations, hidden).items()}
        )

    @property
    def name(self) -> str:
        """The name of the model's file: `entropy=` in a configuration, `name` in a model file."""
        return plugins.name_of(type(self))

    @property
    def config(self) -> dict[str, str | int]:
        """What a model file must say to rebuild this model: plain types."""
        return {"name": self.name, "iterations": self.iterations, "hidden": self.hidden}

    @classmethod
    def specs(cls, iterations: int, hidden: int) -> dict[str, LayerSpec]:
        """The layers by name."""
        raise NotImplementedError

    def forward(self, codes: Tensor, *, exact: bool = False) -> Tensor:
        """Logits (B, T, 32, h, w) of codes of that shape in {-1, +1}; T may be a prefix.

        `exact` computes what will be coded with: rounded weights, tables instead of functions; its
        gradient is that of the smooth network (straight through). Raises DataError on a shape
        that is not this model's.
        """
        raise NotImplementedError

    def _check(self, codes: Tensor) -> None:
        if codes.dim() != 5 or codes.shape[2] != BITS or codes.shape[1] > self.iterations:
            raise DataError(
                f"codes of shape {tuple(codes.shape)}: expected (B, T <= {self.iterations}, "
                f"{BITS}, h, w); encode them with the codec this model belongs to"
            )


def bits_per_bit(logits: Tensor, codes: Tensor) -> Tensor:
    """Mean cross-entropy in bits per coded bit, a scalar: 1 means that nothing was learned.

    >>> import torch
    >>> bits_per_bit(torch.zeros(2, 3), torch.ones(2, 3)).item()
    1.0
    """
    return nn.functional.softplus(-codes * logits).mean() / math.log(2)


def model_class(name: object) -> type[EntropyModel]:
    """The entropy model that the module `rnncodec.entropy.<name>` defines, or the plug-in `name`.

    Raises ModelError, with the names there are, if there is none. Nothing but these and what
    `rnncodec.plugins` knows can be reached.

    >>> model_class("progressive").__name__
    'Progressive'
    """
    own = classes()
    if isinstance(name, str) and name in own:
        return own[name]
    found: type[EntropyModel] | None = None
    if isinstance(name, str):
        found = plugins.find("entropy_models", name, is_model)
    if found is None:
        valid = [*sorted(own), *plugins.names("entropy_models", is_model)]
        raise ModelError(f"entropy={name!r}: no such entropy model; there are {valid}")
    return found


def classes() -> dict[str, type[EntropyModel]]:
    """The entropy models of this package by name."""
    package = importlib.import_module("rnncodec.entropy")
    found: dict[str, type[EntropyModel]] = {}
    for each in pkgutil.iter_modules(package.__path__):
        module = importlib.import_module(f"{package.__name__}.{each.name}")
        for value in vars(module).values():
            if is_model(value) and not plugins.is_outside(value):
                found[plugins.name_of(value)] = value
    del found["model"]  # the base class
    return found


def is_model(value: object) -> bool:
    """Whether it is a class of entropy models."""
    return isinstance(value, type) and issubclass(value, EntropyModel)
