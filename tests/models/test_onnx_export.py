"""Every cell's steps in ONNX Runtime, against PyTorch."""

import json
import sys
from functools import partial
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

from rnncodec.errors import ConfigError
from rnncodec.models.model_file import Model, load, save
from rnncodec.models.onnx_export import export_onnx, graphs
from rnncodec.network.autoencoder import Network
from rnncodec.network.cells.assoc_lstm import AssociativeLSTM
from rnncodec.network.cells.gru import GRU
from rnncodec.network.cells.gru_resnet import GRUResNet
from rnncodec.network.cells.lstm import LSTM
from rnncodec.network.recon.one_shot import OneShot
from rnncodec.network.recon.scaled_additive import ScaledAdditive

SIZES = [(1, 1), (3, 2), (5, 7)]


@pytest.mark.parametrize("cell", [GRU, GRUResNet, LSTM, AssociativeLSTM])
def test_steps_are_those_of_pytorch(cell, tmp_path: Path) -> None:
    recon = partial(ScaledAdditive, channels=8) if cell is GRU else OneShot
    torch.manual_seed(0)
    model = tmp_path / "model.safetensors"
    save(model, Model(Network(cell, recon, width=0.125, iterations=2)))
    written = export_onnx(model, tmp_path / "onnx")
    found = graphs(load(model))
    assert [path.stem for path in written] == list(found)
    for path, graph in zip(written, found.values(), strict=True):
        session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
        for rows, columns in SIZES:
            given = [like(x, rows, columns) for x in graph.inputs]
            with torch.no_grad():
                expected = graph.module(*given)
            expected = expected if isinstance(expected, tuple) else (expected,)
            got = session.run(None, named(graph.input_names, given))
            for a, b in zip(expected, got, strict=True):
                np.testing.assert_allclose(b, a.numpy(), atol=1e-4)


def like(x: torch.Tensor, rows: int, columns: int) -> torch.Tensor:
    """Random numbers of another size: an example is of 2 x 3 positions (1 x 2 patches)."""
    h, w = (1, 2) if x.shape[-1] == 2 * x.shape[-2] else (2, 3)
    return torch.rand(2, x.shape[1], x.shape[2] // h * rows, x.shape[3] // w * columns) - 0.5


def named(names: list[str], values: list[torch.Tensor]) -> dict[str, np.ndarray]:
    return {name: value.numpy() for name, value in zip(names, values, strict=True)}


def test_a_graph_says_which_model_it_is_of(tmp_path: Path) -> None:
    golden = Path("tests/golden/model.safetensors")
    for path in export_onnx(golden, tmp_path):
        (told,) = onnx.load(path).metadata_props
        described = json.loads(told.value)
        assert described["fingerprint"] == load(golden).fingerprint().hex()
        assert described["network"]["cell"] == {"name": "gru"}


def test_without_the_package_it_says_what_to_install(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(ConfigError, match=r"pip install 'rnncodec\[onnx\]'"):
        export_onnx("tests/golden/model.safetensors", tmp_path)
