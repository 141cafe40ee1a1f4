"""A model as ONNX graphs: one step of the encoder, one of the decoder, and the gain between them.

States are inputs and outputs, zeros at first; sizes are free. What lies around a step is told in
FORMAT.md, "Network": how often it runs, what becomes of its output, which bits are coded.
"""

import io
import json
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor, nn

from rnncodec.errors import ConfigError
from rnncodec.geometry import BITS, BLOCK
from rnncodec.machine.storage import write_bytes
from rnncodec.models import model_file
from rnncodec.models.model_file import Model
from rnncodec.network.autoencoder import Binarizer, Decoder, Encoder
from rnncodec.network.cells import State
from rnncodec.network.recon.scaled_additive import PATCH, ScaledAdditive

OPSET = 17
MISSING = "rnncodec export --onnx needs the package onnx: pip install 'rnncodec[onnx]'"


class Step(nn.Module):
    """An encoder or a decoder whose states are tensors one after the other."""

    def __init__(self, part: Encoder | Decoder, binarizer: Binarizer | None = None) -> None:
        super().__init__()
        self.part = part
        self.binarizer = binarizer
        x = torch.zeros(1, 3 if binarizer else BITS, BLOCK, BLOCK)
        with torch.no_grad():
            _, states = part(x)
        self.counts = [len(state) for state in states]

    def forward(self, x: Tensor, *tensors: Tensor) -> tuple[Tensor, ...]:
        """(B, C, H, W) and states -> the output and the new states."""
        states: list[State] = []
        for count in self.counts:
            states.append(tensors[:count])
            tensors = tensors[count:]
        y, after = self.part(x, states)
        if self.binarizer is not None:
            y = self.binarizer.expectation(y)
        return y, *(tensor for state in after for tensor in state)

    def zero_states(self, x: Tensor) -> list[Tensor]:
        """The states before the first step on inputs like x."""
        with torch.no_grad():
            _, states = self.part(x)
        return [torch.zeros_like(tensor) for state in states for tensor in state]


class PatchGain(nn.Module):
    """The gain of `scaled_additive`, a number for each patch of 32 x 32 pixels."""

    def __init__(self, recon: ScaledAdditive) -> None:
        super().__init__()
        self.network = recon.G

    def forward(self, x_hat: Tensor) -> Tensor:
        """(B, 3, 32 a, 32 b), padded by its last row and column -> (B, 1, a, b)."""
        gain: Tensor = self.network(x_hat) + 2
        return gain


class Graph(NamedTuple):
    """A graph to be written: its module, an example of its inputs, and names."""

    module: nn.Module
    inputs: tuple[Tensor, ...]
    input_names: list[str]
    output_names: list[str]


def export_onnx(model: str | Path, folder: str | Path) -> list[Path]:
    """Write `encoder.onnx`, `decoder.onnx` and, of a model that has one, `gain.onnx`.

    Raises:
        ConfigError: the package that writes ONNX is missing.
        ModelError: not a model file, damaged, or with weights that are not finite.
        StorageError: the folder cannot be written.
    """
    try:
        import onnx
    except ImportError as error:
        raise ConfigError(MISSING) from error
    loaded = model_file.load(model)
    described = {"network": loaded.network.config, "fingerprint": loaded.fingerprint().hex()}
    written = []
    for name, graph in graphs(loaded).items():
        path = Path(folder, f"{name}.onnx")
        found = onnx.load_from_string(converted(graph))
        onnx.helper.set_model_props(found, {"rnncodec": json.dumps(described, sort_keys=True)})
        write_bytes(path, found.SerializeToString())
        written.append(path)
    return written


def graphs(model: Model) -> dict[str, Graph]:
    """The graphs of a model by name."""
    network = model.network.eval().requires_grad_(False)
    encoder, decoder = Step(network.encoder, network.binarizer), Step(network.decoder)
    found = {
        "encoder": stepping(
            encoder, torch.zeros(1, 3, 2 * BLOCK, 3 * BLOCK), "residual", "expectation"
        ),
        "decoder": stepping(decoder, torch.zeros(1, BITS, 2, 3), "codes", "output"),
    }
    if isinstance(network.recon, ScaledAdditive):
        picture = torch.zeros(1, 3, PATCH, 2 * PATCH)
        found["gain"] = Graph(PatchGain(network.recon), (picture,), ["picture"], ["gain"])
    return found


def stepping(step: Step, x: Tensor, given: str, result: str) -> Graph:
    """A graph with states."""
    states = step.zero_states(x)
    before = [f"state_{k}" for k in range(len(states))]
    return Graph(
        step, (x, *states), [given, *before], [result, *(f"new_{name}" for name in before)]
    )


def converted(graph: Graph) -> bytes:
    """One graph as ONNX."""
    names: Sequence[str] = [*graph.input_names, *graph.output_names]
    free = {name: {0: "batch", 2: f"{name}_rows", 3: f"{name}_columns"} for name in names}
    out = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the exporter: that there is another one
        torch.onnx.export(
            graph.module,
            graph.inputs,
            out,  # type: ignore[arg-type]  # the stubs know of paths only
            input_names=graph.input_names,
            output_names=graph.output_names,
            dynamic_axes=free,
            opset_version=OPSET,
            dynamo=False,
        )
    return out.getvalue()
