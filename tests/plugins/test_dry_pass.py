"""A part from outside that does not do what it has to ends a run before its first step."""

from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from hydra import compose, initialize_config_dir
from tests.plugins import parts
from tests.plugins.conftest import SMALL, from_folder, table
from torch import nn

from rnncodec import experiment, load, plugins
from rnncodec.data.contract import check_data
from rnncodec.errors import ConfigError
from rnncodec.models import model_file
from rnncodec.network.autoencoder import Network
from rnncodec.network.cells.lstm import LSTM
from rnncodec.network.recon.additive import Additive
from rnncodec.runs.run_directory import RunFiles
from rnncodec.training.codec_module import CodecModule
from rnncodec.training.dry_pass import check_entropy_model, check_metrics, dry_pass
from rnncodec.training.losses import L1

OWN = "tests.plugins.parts"


def module(cell: Any = LSTM, recon: Any = Additive, loss: Any = L1, **more: Any) -> CodecModule:
    network = Network(cell, recon, width=0.125, iterations=2, **more)
    return CodecModule(network, loss(), partial(torch.optim.Adam, lr=0.01), seed=0)


@pytest.mark.parametrize(
    ("kind", "name", "message"),
    [
        ("cell", "LargeOutput", r"LargeOutput: forward gave a y of float32 \(1, 32, 4, 8\).*exp"),
        ("cell", "DoubleOutput", r"DoubleOutput: forward gave a y of float64 .*expected float32"),
        ("cell", "NoState", r"NoState: forward gave float32 .*, expected \(y, state\)"),
        ("cell", "ListState", "ListState: forward gave a state of list, expected a tuple of"),
        ("cell", "Unfinished", r"Unfinished: forward\(x, None\): NotImplementedError"),
        ("cell", "Random", "decoded twice .* two pictures.* nothing may be random"),
        ("cell", "NoCell", "cells: expected a subclass of rnncodec.network.cells.Cell"),
        ("cell", "Gru", "cells: 'gru' is the name of a part of rnncodec itself"),
        ("recon", "HalfPicture", "HalfPicture: combine gave a picture of float32 .*expected"),
        ("recon", "Plain", "recons: expected a subclass of rnncodec.network.recon.Reconstruction"),
        ("binarizer", "Halves", "Halves: expected codes of -1 and "),
        ("loss", "Map", r"Map: gave float32 \(1, 3, 32, 32\), expected a scalar"),
        ("loss", "Constant", "Constant: has no gradient with respect to the second picture"),
        ("loss", "Broken", r"Broken: of two pictures .*: KeyError: 'weights'"),
    ],
)
def test_a_wrong_part_is_one_message(kind: str, name: str, message: str) -> None:
    part = getattr(parts, name)
    with pytest.raises(ConfigError, match=message):
        dry_pass(module(**{kind: part}))


def test_a_right_module_stays_as_it_is() -> None:
    right = module(parts.Plain, parts.Halving, parts.L1, binarizer=parts.Steep)
    before = {name: value.clone() for name, value in right.state_dict().items()}
    drawn = torch.random.get_rng_state()
    dry_pass(right)
    assert all(torch.equal(value, before[name]) for name, value in right.state_dict().items())
    assert all(weight.grad is None for weight in right.parameters())
    assert all(weight.requires_grad for weight in right.network.parameters())
    assert torch.equal(torch.random.get_rng_state(), drawn)


def test_an_optimiser_that_fails_is_one_message() -> None:
    def fails(named: Any) -> Any:
        raise AttributeError("no group")

    wrong = module()
    wrong.optimizer = fails
    with pytest.raises(ConfigError, match=r"one step of training .*: AttributeError: no group"):
        dry_pass(wrong)


def test_an_entropy_model_that_coding_does_not_know_is_refused() -> None:
    check_entropy_model(parts.Twin(2, 8))
    with pytest.raises(ConfigError, match="entropy=Otherwise: coding computes other probabil"):
        check_entropy_model(parts.Otherwise(2, 8))


@pytest.mark.parametrize(
    ("metric", "message"),
    [
        (parts.one_for_all, r"metric mine: gave float64 \(\), expected float64 \(1,\): \(B,\)"),
        (parts.raises, "metric mine: of two pictures .*: ZeroDivisionError: no edges"),
    ],
)
def test_a_wrong_metric_is_one_message(metric: Any, message: str) -> None:
    plugins.give(mine=metric)
    with pytest.raises(ConfigError, match=message):
        check_metrics(["mine"])


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("FloatNoise", r"train_dataloader\(\) gave an image of float32 \(4, 3, 32, 32\), expect"),
        ("OddNoise", r"gave an image of uint8 \(4, 3, 20, 20\), .* multiples of 16"),
        ("NoIndex", r"gave an index of NoneType, expected int64 \(4,\)"),
        ("NothingHeldOut", r"val_dataloader\(\) gave no batch"),
        ("ListOfBatches", r"val_dataloader\(\) gave a list, which Lightning takes for several"),
        ("NoLoaders", r"NoLoaders: train_dataloader\(\): .*"),
        ("Fails", r"Fails: setup\('fit'\): FileNotFoundError: photographs\.tar"),
        ("NoDataModule", "expected a subclass of lightning.LightningDataModule"),
    ],
)
def test_a_wrong_data_module_is_one_message(name: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        check_data(getattr(parts, name)(), entropy=False, crop=32)


def test_an_entropy_model_needs_more_of_the_data() -> None:
    check_data(parts.Noise(), entropy=False, crop=32)
    with pytest.raises(
        ConfigError, match=r"has no val_size, .*crops_of, which entropy= needs .*entropy=none"
    ):
        check_data(parts.Noise(), entropy=True, crop=32)


def run(folder: Path, overrides: list[str]) -> float:
    experiment.register_resolvers()
    with initialize_config_dir(str(Path("conf").resolve()), version_base="1.3"):
        cfg = compose("config", overrides=[*overrides, f"run_dir={folder}"])
    return experiment.run(cfg)


def part(group: str, name: str, *more: str) -> list[str]:
    """The overrides that put a class of ours in the place of a group's option."""
    add = "+" if group == "model.binarizer" else ""
    partial = [f"+{group}._partial_=true"] if add else []
    return [f"{add}{group}._target_={OWN}.{name}", *partial, *more]


def own_data(name: str) -> list[str]:
    """Settings with a data module that has none of our settings, as a YAML of its own would."""
    ours = ("batch_size", "crop", "shrink", "val_images", "val_size", "num_workers", "cache_mb")
    left_out = [f"~data.{setting}" for setting in (*ours, "seed")]
    others = [setting for setting in SMALL if not setting.startswith("data.")]
    return [*others, *left_out, f"data._target_={OWN}.{name}", "eval=demo"]


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (part("cell", "LargeOutput"), "LargeOutput: forward gave a y"),
        (part("cell", "Missing"), r"cell\._target_=.*Missing: cannot be imported; install"),
        (part("entropy", "Otherwise", "entropy=binary_rnn"), "coding computes other"),
        (
            [*part("loss", "L1"), "eval._target_=tests.plugins.parts.NoDataModule"],
            "eval cannot be built: NoData",
        ),
        (
            [f"+metrics.mine={{_target_: hydra.utils.get_method, path: {OWN}.raises}}"],
            "metric mine: of two pictures",
        ),
        (
            [f"+metrics.mine={{_target_: hydra.utils.get_method, path: {OWN}.nothing}}"],
            "metrics.mine cannot be built: ",
        ),
        ([f"+callbacks.mine._target_={OWN}.NoDataModule"], "callbacks.mine: expected a Callback"),
        ([f"+logger._target_={OWN}.NoDataModule"], "logger: expected a logger"),
        (own_data("OddNoise"), "multiples of 16"),
    ],
)
def test_a_run_is_refused_before_its_first_step(
    photographs: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    overrides: list[str],
    message: str,
) -> None:
    monkeypatch.setattr(CodecModule, "training_step", lambda *_: pytest.fail("a step was made"))
    small = [] if "eval=demo" in overrides else [*SMALL, *from_folder(photographs)]
    with pytest.raises(ConfigError, match=message):
        run(tmp_path, [*small, "cell=lstm", *overrides])
    assert not RunFiles(tmp_path).trained


def test_right_parts_train_and_are_measured(
    tmp_path: Path, photographs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All kinds together, with a data module that has none of our settings."""
    monkeypatch.setattr(parts.Counts, "batches", 0)
    overrides = [
        *own_data("Noise"), "eval=folder", f"eval.root={photographs / 'eval'}",
        "cell=lstm", *part("cell", "Plain"), *part("recon", "Halving"), *part("loss", "L1"),
        *part("model.binarizer", "Steep", "+model.binarizer.slope=3.0"),
        f"+callbacks.counts._target_={OWN}.Counts",
        f"+metrics.light={{_target_: hydra.utils.get_object, path: {OWN}.whole_mean}}",
    ]  # fmt: skip
    run(tmp_path, overrides)
    assert parts.Counts.batches == 2
    rows = table(tmp_path / "evaluation/results.csv")
    assert all(0 <= float(row["light"]) <= 255 for row in rows)
    description = model_file.read(tmp_path / "model.safetensors")[0]
    assert description["network"]["cell"] == {"name": "Plain"}
    assert description["network"]["binarizer"] == {"name": "Steep", "slope": 3.0}
    assert [each["class"] for each in description["plugins"]] == [
        f"{OWN}.{name}" for name in ("Plain", "Halving", "Steep")
    ]
    binarizer: nn.Module = load(tmp_path / "model.safetensors").model.network.binarizer
    assert binarizer.slope == 3.0
    run(tmp_path, overrides)  # finished: nothing is done again
    assert parts.Counts.batches == 2
    with pytest.raises(ConfigError, match=r"loss=tests\.plugins\.parts\.L1 .*asked for: L1\)"):
        run(tmp_path, [each for each in overrides if not each.startswith("loss.")])


def test_an_entropy_model_from_outside_codes(photographs: Path, tmp_path: Path) -> None:
    overrides = [
        *SMALL, *from_folder(photographs), "cell=lstm", "entropy=binary_rnn", "entropy.hidden=8",
        *part("entropy", "Twin"), "entropy_fit.data.crops=2", "entropy_fit.data.crop=16",
        "entropy_fit.data.batch_size=2", "entropy_fit.max_steps=2", "entropy_fit.max_time=null",
    ]  # fmt: skip
    run(tmp_path, overrides)
    model = model_file.load(tmp_path / "model.safetensors")
    assert model.entropy is not None
    assert model.entropy.config["name"] == "Twin"
    (used,) = model_file.read(tmp_path / "model.safetensors")[0]["plugins"]
    assert (used["group"], used["class"]) == ("entropy_models", f"{OWN}.Twin")
