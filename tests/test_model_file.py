"""Model files: what is saved comes back; what is damaged or foreign is refused."""

import hashlib
import json
import os
import stat
from pathlib import Path

import pytest
import torch
from safetensors.numpy import load_file
from safetensors.torch import save_file

from rnncodec.cells.gru import GRU
from rnncodec.cells.lstm import LSTM
from rnncodec.entropy import quantize
from rnncodec.entropy.binary_rnn import BinaryRNN
from rnncodec.errors import ModelError, StorageError
from rnncodec.model_file import Model, load, load_weights, read, save
from rnncodec.network import Network
from rnncodec.recon.additive import Additive


def tiny(cell=GRU) -> Model:
    network = Network(cell, Additive, width=0.125, iterations=2)
    return Model(network, quantize(BinaryRNN(2, 8)), {"score": 0.5})


def test_round_trip(tmp_path: Path) -> None:
    model = tiny()
    save(tmp_path / "m.safetensors", model)
    again = load(tmp_path / "m.safetensors")
    assert again.network.config == model.network.config
    assert again.notes == {"score": 0.5}
    assert again.fingerprint() == model.fingerprint()
    codes = torch.randint(2, (1, 2, 3, 4, 32), dtype=torch.uint8)
    assert torch.equal(again.entropy.probabilities(codes), model.entropy.probabilities(codes))
    assert [p.name for p in tmp_path.iterdir()] == ["m.safetensors"]


def test_others_may_read_it_as_the_umask_says(tmp_path: Path) -> None:
    previous = os.umask(0o022)
    try:
        save(tmp_path / "m", tiny())
    finally:
        os.umask(previous)
    assert stat.S_IMODE((tmp_path / "m").stat().st_mode) == 0o644


def test_without_entropy_model(tmp_path: Path) -> None:
    save(tmp_path / "m", Model(tiny().network))
    assert load(tmp_path / "m").entropy is None


def test_half_precision_halves_the_file(tmp_path: Path) -> None:
    model = Model(tiny().network)
    save(tmp_path / "32", model)
    save(tmp_path / "16", model, dtype=torch.float16)
    assert (tmp_path / "16").stat().st_size < 0.55 * (tmp_path / "32").stat().st_size
    a, b = model.network.state_dict(), load(tmp_path / "16").network.state_dict()
    assert all(b[k].dtype == torch.float32 for k in b)
    assert all((a[k] - b[k]).abs().max() < 2e-3 for k in a)


def test_fingerprint_names_what_a_decoder_needs() -> None:
    model = tiny()
    before = model.fingerprint()
    with torch.no_grad():
        model.network.encoder.conv.bias[0] += 1
        assert model.fingerprint() == before, "any encoder may write for this decoder"
        model.network.decoder.output.bias[2] += 1e-6
    assert model.fingerprint() != before
    assert Model(model.network).fingerprint() != model.fingerprint()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
def test_fingerprint_is_what_the_format_says(tmp_path: Path, dtype: torch.dtype) -> None:
    path = tmp_path / "m.safetensors"
    save(path, tiny(), dtype=dtype)
    stated, _ = read(path)
    parts = {"entropy": stated["entropy"], "network": stated["network"]}
    digest = hashlib.sha256(json.dumps(parts, sort_keys=True).encode())
    for name, values in sorted(load_file(path).items()):
        if not name.startswith(("network.encoder.", "network.binarizer.")):
            counted = values.astype("<f4") if name.startswith("network.") else values
            digest.update(f"{name}:torch.{counted.dtype}:{values.shape};".encode())
            digest.update(counted.tobytes())
    assert digest.hexdigest()[:32] == stated["fingerprint"]


def test_weights_of_another_architecture_are_refused() -> None:
    weights = tiny(GRU).network.state_dict()
    with pytest.raises(ModelError, match="another architecture"):
        load_weights(tiny(LSTM).network, weights, source="gru")


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no such model file"):
        load(tmp_path / "none")


@pytest.mark.parametrize("cut", [0, 4, 100, -1])
def test_damaged_file(tmp_path: Path, cut: int) -> None:
    path = tmp_path / "m"
    save(path, tiny())
    path.write_bytes(path.read_bytes()[:cut])
    with pytest.raises(ModelError, match="not a model file, or damaged"):
        load(path)


@pytest.mark.parametrize(
    ("metadata", "message"),
    [
        (None, "but not of rnncodec"),
        ({"rnncodec": "{"}, "description is damaged"),
        ({"rnncodec": json.dumps({"format": 99})}, "format 99.*upgrade"),
        ({"rnncodec": json.dumps({"format": 1, "network": []})}, "network is a list"),
        (
            {"rnncodec": json.dumps({"format": 1, "network": {}, "entropy": None, "notes": {}})},
            "not understood",
        ),
    ],
)
def test_foreign_files(tmp_path: Path, metadata: dict, message: str) -> None:
    save_file({"x": torch.zeros(1)}, tmp_path / "m", metadata=metadata)
    with pytest.raises(ModelError, match=message):
        load(tmp_path / "m")


def test_full_disk_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "m"
    save(path, tiny())
    before = path.read_bytes()

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("rnncodec.model_file.save_file", full)
    with pytest.raises(StorageError, match="No space left on device"):
        save(path, tiny())
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["m"]
    assert read(path)[0]["format"] == 1
