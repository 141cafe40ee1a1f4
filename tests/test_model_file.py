"""Model files: what is saved comes back; what is damaged or foreign is refused."""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from rnncodec.cells.gru import GRU
from rnncodec.cells.lstm import LSTM
from rnncodec.errors import ModelError, StorageError
from rnncodec.model_file import fingerprint, load_network, load_weights, read, save_network
from rnncodec.network import Network
from rnncodec.recon.additive import Additive


def tiny(cell=GRU) -> Network:
    return Network(cell, Additive, width=0.125, iterations=2)


def test_round_trip(tmp_path: Path) -> None:
    network = tiny()
    save_network(tmp_path / "m.safetensors", network, notes={"score": 0.5})
    again = load_network(tmp_path / "m.safetensors")
    assert again.config == network.config
    assert fingerprint(again.state_dict()) == fingerprint(network.state_dict())
    assert read(tmp_path / "m.safetensors")[0]["notes"] == {"score": 0.5}
    assert [p.name for p in tmp_path.iterdir()] == ["m.safetensors"]


def test_half_precision_halves_the_file(tmp_path: Path) -> None:
    network = tiny()
    save_network(tmp_path / "32", network)
    save_network(tmp_path / "16", network, dtype=torch.float16)
    assert (tmp_path / "16").stat().st_size < 0.55 * (tmp_path / "32").stat().st_size
    a, b = network.state_dict(), load_network(tmp_path / "16").state_dict()
    assert all(b[k].dtype == torch.float32 for k in b)
    assert all((a[k] - b[k]).abs().max() < 1e-3 for k in a)


def test_fingerprint_sees_every_weight() -> None:
    network = tiny()
    before = fingerprint(network.state_dict())
    with torch.no_grad():
        network.decoder.output.bias[2] += 1e-6
    assert fingerprint(network.state_dict()) != before


def test_weights_of_another_architecture_are_refused(tmp_path: Path) -> None:
    save_network(tmp_path / "gru", tiny(GRU))
    _, tensors = read(tmp_path / "gru")
    with pytest.raises(ModelError, match="another architecture"):
        load_weights(tiny(LSTM), tensors, source="gru")


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no such model file"):
        load_network(tmp_path / "none")


@pytest.mark.parametrize("cut", [0, 4, 100, -1])
def test_damaged_file(tmp_path: Path, cut: int) -> None:
    path = tmp_path / "m"
    save_network(path, tiny())
    path.write_bytes(path.read_bytes()[:cut])
    with pytest.raises(ModelError, match="not a model file, or damaged"):
        load_network(path)


@pytest.mark.parametrize(
    ("metadata", "message"),
    [
        (None, "but not of rnncodec"),
        ({"rnncodec": "{"}, "description is damaged"),
        ({"rnncodec": json.dumps({"format": 99, "network": {}})}, "format 99.*upgrade"),
        ({"rnncodec": json.dumps({"format": 1, "network": {}})}, "not understood"),
    ],
)
def test_foreign_files(tmp_path: Path, metadata: dict, message: str) -> None:
    save_file({"x": torch.zeros(1)}, tmp_path / "m", metadata=metadata)
    with pytest.raises(ModelError, match=message):
        load_network(tmp_path / "m")


def test_full_disk_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "m"
    save_network(path, tiny())
    before = path.read_bytes()

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("rnncodec.model_file.save_file", full)
    with pytest.raises(StorageError, match="No space left on device"):
        save_network(path, tiny())
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["m"]
