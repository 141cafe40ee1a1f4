"""Model files: what is saved comes back; what is damaged or foreign is refused."""

import hashlib
import json
import math
import os
import re
import stat
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.numpy import load_file
from safetensors.torch import save_file

from rnncodec.entropy import quantize
from rnncodec.entropy.binary_rnn import BinaryRNN
from rnncodec.errors import ModelError, StorageError
from rnncodec.models.model_file import Model, load, load_weights, read, save
from rnncodec.network.autoencoder import Network
from rnncodec.network.cells.gru import GRU
from rnncodec.network.cells.lstm import LSTM
from rnncodec.network.recon.additive import Additive


def tiny(cell=GRU) -> Model:
    network = Network(cell, Additive, width=0.125, iterations=2)
    return Model(network, quantize(BinaryRNN(2, 8)), {"score": 0.5})


def test_a_model_is_the_same_file_each_time(tmp_path: Path) -> None:
    # Of several keys safetensors writes the metadata in another order each time.
    model = tiny()
    files = [tmp_path / f"{k}.safetensors" for k in range(5)]
    for path in files:
        save(path, model)
    assert len({path.read_bytes() for path in files}) == 1
    with safe_open(files[0], framework="pt") as file:
        assert len(file.metadata()) == 1


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


NETWORK = {"cell": {"name": "gru"}, "recon": {"name": "additive"}, "width": 0.125, "iterations": 2}
ENTROPY = {"name": "binary_rnn", "iterations": 2, "hidden": 8}
HUGE = 10**300


@pytest.mark.parametrize(
    ("network", "entropy", "message"),
    [
        ({"width": 1e7}, {}, r"width=10000000\.0: expected 0 to 4"),
        ({"width": HUGE}, {}, "width=1000.*: expected 0 to 4"),
        ({"width": float("nan")}, {}, "width=nan: expected 0 to 4"),
        ({"width": "2"}, {}, "width='2': expected a number"),
        ({"width": True}, {}, "width=True: expected a number"),
        ({"width": 4}, {}, r"another architecture .* expected \(32, 2048, 1, 1\)"),
        ({"iterations": HUGE}, {}, "iterations=1000.*: expected 1 to 255"),
        ({"priming": HUGE}, {}, "priming=1000.*: expected 0 to 16"),
        ({"diffusion": -1}, {}, "diffusion=-1: expected 0 to 16"),
        ({"cell": {"name": "gru", "update_bias": "q"}}, {}, "update_bias='q': expected a number"),
        ({"cell": {"name": "gru", "update_bias": HUGE}}, {}, "update_bias=1000"),
        ({"cell": {"name": "gru_resnet", "alpha": "q"}}, {}, "alpha='q': expected a number"),
        ({"cell": {"name": "gru_resnet", "alpha": float("inf")}}, {}, "alpha=inf: expected -100"),
        ({"recon": {"name": "scaled_additive", "channels": -1}}, {}, "channels=-1: expected 1 to"),
        ({"recon": {"name": "scaled_additive", "channels": 0}}, {}, "channels=0: expected 1 to"),
        ({"recon": {"name": "scaled_additive", "channels": HUGE}}, {}, "channels=1000"),
        ({"recon": {"name": "scaled_additive", "channels": 1.5}}, {}, "expected a whole number"),
        ({"recon": {"name": "boosted_additive", "gain": 0.0}}, {}, r"gain=0\.0: expected 0\.001"),
        ({"recon": {"name": "boosted_additive", "gain": [4]}}, {}, "expected a number"),
        ({"recon": {"name": "boosted_additive", "power": 900}}, {}, "power=900: expected -4 to 4"),
        ({}, {"iterations": HUGE}, "iterations=1000.*expected a whole number from 1 to 1024"),
        ({}, {"hidden": 0}, "hidden=0: expected a whole number from 1 to 1024"),
        ({}, {"hidden": 1024}, "expected torch.int8"),
        ({}, {"name": None}, "entropy=None: no such entropy model"),
        ({}, {"name": "none"}, "entropy=none writes raw bits"),
    ],
)
def test_impossible_numbers_are_refused(
    tmp_path: Path, network: dict, entropy: dict, message: str
) -> None:
    model = tiny()
    save(tmp_path / "m", model)
    description, tensors = read(tmp_path / "m")
    assert (description["network"], description["entropy"]) == (NETWORK, ENTROPY)
    description["network"] |= network
    description["entropy"] |= entropy
    save_file(tensors, tmp_path / "m", metadata={"rnncodec": json.dumps(description)})
    with pytest.raises(ModelError, match=message):
        load(tmp_path / "m")


@pytest.mark.parametrize("lacking", ["name", "iterations", "hidden"])
def test_an_entropy_model_without_its_numbers_is_refused(tmp_path: Path, lacking: str) -> None:
    save(tmp_path / "m", tiny())
    description, tensors = read(tmp_path / "m")
    del description["entropy"][lacking]
    save_file(tensors, tmp_path / "m", metadata={"rnncodec": json.dumps(description)})
    with pytest.raises(ModelError, match=f"{lacking}=None|entropy=None"):
        load(tmp_path / "m")


def test_a_foreign_network_is_refused_before_it_takes_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save(tmp_path / "m", tiny())
    description, tensors = read(tmp_path / "m")
    description["network"]["width"] = 0.25
    save_file(tensors, tmp_path / "m", metadata={"rnncodec": json.dumps(description)})
    began: list[torch.Tensor] = []
    # what every convolution of PyTorch begins with
    monkeypatch.setattr(
        torch.nn.init, "kaiming_uniform_", lambda weight, **_: began.append(weight)
    )
    with pytest.raises(ModelError, match="another architecture"):
        load(tmp_path / "m")
    assert len(began) > 10
    assert all(weight.is_meta for weight in began)


def test_full_disk_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "m"
    save(path, tiny())
    before = path.read_bytes()

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("rnncodec.models.model_file.save_file", full)
    with pytest.raises(StorageError, match="No space left on device"):
        save(path, tiny())
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["m"]
    assert read(path)[0]["format"] == 1


def test_weights_that_are_not_finite_are_neither_written_nor_read(tmp_path: Path) -> None:
    model = tiny()
    save(tmp_path / "good", model)
    bias = next(value for name, value in model.network.named_parameters() if name.endswith("bias"))
    name = r"network\..*bias has values that are not finite: the training diverged"
    bias.data[0] = 1e5
    with pytest.raises(ModelError, match=name):
        save(tmp_path / "bad", model, dtype=torch.float16)  # whose largest number is 65,504
    bias.data[0] = math.nan
    with pytest.raises(ModelError, match=name):
        save(tmp_path / "bad", model)
    assert not (tmp_path / "bad").exists()
    description, tensors = read(tmp_path / "good")
    wrong = tensors | {"network.encoder.conv.bias": torch.full((8,), math.inf)}
    save_file(wrong, tmp_path / "bad", {"rnncodec": json.dumps(description)})
    with pytest.raises(ModelError, match=r"bad: network\.encoder\.conv\.bias has values"):
        load(tmp_path / "bad")


@pytest.mark.parametrize("dtype", [torch.float8_e4m3fn, torch.uint16, torch.bool])
def test_numbers_of_another_type_are_refused(dtype: torch.dtype, tmp_path: Path) -> None:
    path = tmp_path / "model"
    save(path, tiny())
    with safe_open(path, "pt") as file:
        metadata = file.metadata()
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    first = next(name for name in tensors if name.startswith("network."))
    tensors[first] = torch.zeros(tensors[first].shape).to(dtype)
    save_file(tensors, path, metadata=metadata)
    with pytest.raises(ModelError, match=f"{re.escape(first)} has numbers of type .*: expected"):
        load(path)


def test_weights_are_no_part_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "model"
    save(path, tiny())
    network = load(path).network
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    path.write_bytes(bytes(path.stat().st_size))
    assert all(torch.equal(before[name], value) for name, value in network.state_dict().items())
    assert all(weight.requires_grad for weight in network.parameters())
