"""The entropy model in integers: the same probabilities on every machine, bit for bit.

All numbers are integers times a power of two, held in floats. Every partial sum stays below 2^24
units, which is checked on the actual weights, so float32 adds without rounding, in any order, on
any number of threads, with or without fused multiply-add. Only matrix products and elementwise
operations occur; no convolution, whose algorithm might transform its input.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple

import torch
from torch import Tensor

from rnncodec import plugins
from rnncodec.entropy import fixed_point as fp
from rnncodec.entropy import planes as pl
from rnncodec.entropy.model import EntropyModel, Layer, LayerSpec, classes, model_class
from rnncodec.errors import DataError, ModelError
from rnncodec.geometry import BITS, UNSENT

Config = Mapping[str, Any]
Codes = Tensor  # uint8 (B, T, h, w, 32) of 0, 1 and UNSENT

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


class Field:
    """The planes of one pass over codes of T iterations and B images of one size."""

    def __init__(self, model: "IntegerModel", order: pl.Rows | pl.Diagonals, T: int, B: int):
        def plane(channels: int, dtype: torch.dtype = torch.int8, *, slots: int = T) -> pl.Plane:
            shape = (slots, B, order.height, order.width, channels)
            return pl.Plane(shape, order.margin, dtype)

        hidden = model.hidden
        self.mask = plane(1)
        self.mask.inside().fill_(1)
        self.codes = plane(BITS)
        self.inputs = plane(hidden * (2 if model.remembers else 1))
        self.h, self.cell = plane(hidden), plane(hidden, torch.int16)
        if model.remembers:
            self.past_a, self.past_b = plane(hidden), plane(BITS)
            # Slot t: what is known before iteration t; zero at first.
            self.memory_h = plane(hidden, slots=T + 1)
            self.memory_cell = plane(hidden, torch.int16, slots=T + 1)
            self.state = plane(BITS, slots=T + 1)

    def write(self, view: Tensor, values: Tensor, lattice: pl.Lattice) -> None:
        """Store values (t, B*positions, C), zeros outside the image."""
        torch.mul(values.view(view.shape), self.mask.at(lattice), out=view)


class IntegerModel:
    """An entropy model for coding, on the CPU; made by `quantize` or read by `from_state`.

    `dtype` chooses what holds the integers: float32, or float64 as a second, slower opinion. They
    agree exactly.
    """

    def __init__(self, config: Config, tensors: Mapping[str, Tensor], dtype: torch.dtype):
        self.config = dict(config)
        self.tensors = dict(tensors)
        self.dtype = dtype
        self.iterations = int(config["iterations"])
        self.hidden = int(config["hidden"])
        specs = model_class(config["name"]).specs(self.iterations, self.hidden)
        self.remembers = "memory" in specs
        # Entries of the layers' tables: planes keep activations small, the rest is computed on.
        results = dict.fromkeys(("context", "prior", "past_a", "past_b", "recall_b"), torch.int8)
        results["logits"] = torch.int32
        self._layers = {
            name: IntegerLayer(spec, stored(tensors, name), dtype, results.get(name, dtype))
            for name, spec in specs.items()
        }
        gate = fp.gate_table()
        self._cell_tanh = (2 * gate.values - (1 << fp.GATE)).to(dtype)

    @classmethod
    def from_state(
        cls, config: Config, tensors: Mapping[str, Tensor], *, dtype: torch.dtype = torch.float32
    ) -> "IntegerModel":
        """Build from a model file's plain config and integer tensors; trusts neither.

        Raises ModelError if the config names no entropy model, a tensor is missing, superfluous,
        of another shape or type, or the sums of a layer could exceed 2^24.
        """
        for key in ("iterations", "hidden"):
            value = config.get(key)
            if type(value) is not int or not 1 <= value <= 1024:
                raise ModelError(
                    f"entropy model: {key}={value!r}: expected a whole number from 1 to 1024; "
                    "the model file is damaged"
                )
        specs = model_class(config.get("name")).specs(config["iterations"], config["hidden"])
        if not specs:
            raise ModelError(
                f"entropy={config['name']} writes raw bits: there is nothing to code with, so a "
                "model file must not name it; the model file is damaged"
            )
        expected = {f"{name}.{part}" for name in specs for part in TYPES}
        if expected != set(tensors):
            raise ModelError(
                f"entropy={config['name']}: expected the tensors {sorted(expected)}, "
                f"got {sorted(tensors)}; the model file is damaged or of another version"
            )
        for name, spec in specs.items():
            check_layer(name, spec, stored(tensors, name))
        return cls(config, tensors, dtype)

    def state(self) -> tuple[dict[str, Any], dict[str, Tensor]]:
        """Config of plain types, and integer tensors, as `from_state` takes them."""
        return dict(self.config), dict(self.tensors)

    def probabilities(self, codes: Codes) -> Tensor:
        """P(bit = 1) in 1/65536, int32 in 1..65535, of known codes, both (B, T, h, w, 32).

        T may be a prefix of the model's iterations. Where nothing is sent codes are 2, and
        probabilities mean nothing. Raises DataError on anything else.
        """
        fits = codes.dim() == 5 and codes.shape[-1] == BITS and min(codes.shape) > 0
        fits = fits and codes.dtype == torch.uint8 and codes.shape[1] <= self.iterations
        if not fits or int(codes.max()) > UNSENT:
            raise DataError(
                f"codes of shape {tuple(codes.shape)} and {codes.dtype}: expected uint8 "
                f"(B, T <= {self.iterations}, h, w, {BITS}) of 0, 1 and 2; encode them with "
                "the codec this model belongs to"
            )
        B, T, height, width, _ = codes.shape
        out = torch.empty(T, B, height, width, BITS, dtype=torch.int32, device="cpu")
        order = pl.Rows(height, width)
        with exact_arithmetic():
            field = Field(self, order, T, B)
            field.codes.inside().copy_(fp.signs(codes.transpose(0, 1)))
            self.remember(field, order, 0, T - 1)
            for y in range(height):
                row = self.predict(field, order.row(y, 0, T))
                out[:, :, y] = row.view(T, B, width, BITS)
        return out.transpose(0, 1)

    def predict(self, field: Field, at: pl.Lattice) -> Tensor:
        """Probabilities (t, B*positions, 32) at a lattice; keeps the line LSTM's state there."""
        inputs = field.inputs.at(at)
        codes = (field.codes.at(at, pl.THREE_ROWS_ABOVE), field.codes.at(at, pl.THREE_BEFORE))
        context = self._apply("context", at, *codes)
        field.write(inputs[..., : self.hidden], context, at)
        if self.remembers:
            prior = self._apply("prior", at, field.state.at(at, pl.AROUND))
            field.write(inputs[..., self.hidden :], prior, at)
        line = (field.inputs.at(at, pl.ONE_BEFORE_AND_HERE), field.h.at(at, pl.THREE_ABOVE))
        gates = self._apply("line", at, *line)
        h, cell = self._lstm(gates, field.cell.at(at, pl.ABOVE))
        field.write(field.h.at(at), h.to(torch.int8), at)
        field.write(field.cell.at(at), cell.to(torch.int16), at)
        output = self._layers["output"](h, at.t0, at.t1)
        return self._layers["logits"](output, at.t0, at.t1)

    def remember(self, field: Field, order: pl.Rows, t0: int, t1: int) -> None:
        """Bring the memory from before t0 to before t1, all positions; the codes are known."""
        if not self.remembers:
            return
        rows = [order.row(y, t0, t1) for y in range(order.height)] if t1 > t0 else []
        for row in rows:
            self.read_codes(field, row)
        for row in rows:
            self.read_past(field, row)
        for t in range(t0, t1):
            self.update_memory(field, order.everything(t))

    def read_codes(self, field: Field, at: pl.Lattice) -> None:
        """First layer of the memory's input, from known codes within radius 1."""
        past = self._apply("past_a", at, field.codes.at(at, pl.AROUND))
        field.write(field.past_a.at(at), past, at)

    def read_past(self, field: Field, at: pl.Lattice) -> None:
        """Second layer of the memory's input, from the first within radius 1."""
        past = self._apply("past_b", at, field.past_a.at(at, pl.AROUND))
        field.write(field.past_b.at(at), past, at)

    def update_memory(self, field: Field, at: pl.Lattice) -> None:
        """The LSTM over iterations: reads slot t, writes slot t + 1. Its weights are shared."""
        x = pl.gather(self.dtype, field.past_b.at(at), field.memory_h.at(at))
        gates = self._layers["memory"](x.view(1, -1, x.shape[-1]), 0, 1)
        h, cell = self._lstm(gates, field.memory_cell.at(at))
        field.write(field.memory_h.at(at, slot=1), h.to(torch.int8), at)
        field.write(field.memory_cell.at(at, slot=1), cell.to(torch.int16), at)
        state = self._layers["recall_b"](self._layers["recall_a"](h, 0, 1), 0, 1)
        field.write(field.state.at(at, slot=1), state, at)

    def _apply(self, name: str, at: pl.Lattice, *views: Tensor) -> Tensor:
        return self._layers[name](pl.gather(self.dtype, *views), at.t0, at.t1)

    def _lstm(self, gates: Tensor, before: Tensor) -> tuple[Tensor, Tensor]:
        """`layers.lstm` in integers: gates and cells in 2^-10, h in 2^-7; sums below 2^24."""
        f, i, o, s = gates.chunk(4, dim=-1)
        candidate = s * 2 - 2**fp.GATE
        cell = f * before.reshape(f.shape) + i * candidate
        cell = cell.mul_(2.0**-fp.GATE).add_(0.5).floor_().clamp_(-fp.MAX_CELL, fp.MAX_CELL)
        half = len(self._cell_tanh) // 2
        index = (cell * 2.0 ** (1 + 7 - fp.CELL)).add_(half + 0.5).clamp_(0, 2 * half - 1).long()
        tanh = self._cell_tanh.index_select(0, index.view(-1)).view(cell.shape)
        h = tanh.mul_(o).mul_(2.0 ** (fp.ACTIVATION - fp.GATE - fp.GATE)).add_(0.5).floor_()
        return h.clamp_(-fp.MAX_ACTIVATION, fp.MAX_ACTIVATION), cell


@contextmanager
def exact_arithmetic() -> Iterator[None]:
    """No gradients; no autocast, which would compute in bfloat16; one thread.

    A step of the wavefront takes about a millisecond. A second thread saves a quarter of it on an
    idle machine, but waiting for each other on a busy one has been seen to cost ten times as much.
    A thread that first uses PyTorch while another is inside keeps to one thread, too.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with torch.inference_mode(), torch.autocast("cpu", enabled=False):
            yield
    finally:
        torch.set_num_threads(threads)


def quantize(model: EntropyModel, *, dtype: torch.dtype = torch.float32) -> IntegerModel:
    """Round a trained model to integers: `model(codes, exact=True)` to the last bit.

    Raises ModelError if a sum could exceed 2^24 (train with weight decay), or if there is
    nothing to code with (entropy=none). Raises ConfigError if a class from outside, which this
    process knows from here on, has the name of one of ours.
    """
    if plugins.is_outside(model):
        plugins.require_new("entropy_models", model.name, classes())
        plugins.give(type(model))
    if not model.layers:
        raise ModelError(f"entropy={model.name} writes raw bits: it has nothing to quantise")
    tensors = {}
    for name, layer in model.layers.items():
        assert isinstance(layer, Layer)
        if not bool(torch.isfinite(layer.weight).all() & torch.isfinite(layer.bias).all()):
            raise ModelError(f"{name}: a weight is not finite: training diverged; train again")
        for part, tensor in zip(TYPES, layer.integers(), strict=True):
            tensors[f"{name}.{part}"] = tensor.cpu().to(TYPES[part]).contiguous()
    return IntegerModel.from_state(model.config, tensors, dtype=dtype)


def smooth(model: IntegerModel) -> EntropyModel:
    """The float model that `quantize` makes this of: rounded weights, smooth functions.

    Its logits have a gradient with respect to the codes; its weights have none.
    """
    with torch.inference_mode(mode=False), torch.no_grad():  # tensors of any use, whoever asks
        found = model_class(model.config["name"])(model.iterations, model.hidden)
        for name, layer in found.layers.items():
            assert isinstance(layer, Layer)
            weight, exponent, bias = (
                part.to(torch.float32) for part in stored(model.tensors, name)
            )
            layer.weight.copy_(weight * torch.exp2(-exponent).unsqueeze(1))
            layer.bias.copy_(bias * torch.exp2(-exponent - layer.spec.input_bits))
    return found.requires_grad_(False)
