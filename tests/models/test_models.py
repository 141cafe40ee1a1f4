"""Models by name and fingerprint: packaged, registered, aliased, absent."""

import json
import os
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

import rnncodec
from rnncodec import models
from rnncodec.codec import Codec
from rnncodec.errors import ConfigError, ModelError


@pytest.fixture
def weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tiny_codec: Codec) -> Path:
    """A package with three releases of two models; nothing registered."""
    folder = tmp_path / "weights"
    for k, name in enumerate(("compact-2", "compact-10", "paper-0")):
        release(tiny_codec, folder / f"{name}.safetensors", shift=k)
    (folder / "README.md").write_text("no model")
    monkeypatch.setattr(models, "WEIGHTS", folder)
    monkeypatch.delenv(models.VARIABLE, raising=False)
    return folder


def release(codec: Codec, path: Path, *, shift: float) -> None:
    bias = codec.model.network.decoder.output.bias
    before = bias.clone()
    bias += shift
    Codec(codec.model).save(path)
    bias.copy_(before)


def test_short_names_mean_the_newest_release(weights: Path) -> None:
    assert models.names() == ["compact", "paper", "compact-10", "compact-2", "paper-0"]
    assert models.path_of("compact") == weights / "compact-10.safetensors"
    assert models.path_of("compact-2") == weights / "compact-2.safetensors"
    assert rnncodec.load().fingerprint == rnncodec.load("compact-10").fingerprint


def test_old_releases_are_found_by_fingerprint(weights: Path) -> None:
    old = rnncodec.load("compact-2").fingerprint
    assert old != rnncodec.load("compact").fingerprint
    assert models.find(old) == weights / "compact-2.safetensors"
    assert models.name_of(old) == "compact-2"


def test_a_registered_file_cannot_take_a_released_name(weights, tmp_path, monkeypatch) -> None:
    mine = tmp_path / "mine"
    mine.mkdir()
    shutil.copy(weights / "paper-0.safetensors", mine / "compact-2.safetensors")
    monkeypatch.setenv(models.VARIABLE, str(mine))
    assert models.path_of("compact-2") == weights / "compact-2.safetensors"
    assert mine / "compact-2.safetensors" in models.files()


def test_an_earlier_release_is_named_where_it_is_missing(weights, monkeypatch) -> None:
    old = rnncodec.load("compact-2").fingerprint
    (weights / models.RELEASES).write_text(json.dumps({"compact-2": old.hex()}))
    (weights / "compact-2.safetensors").rename(weights.parent / "compact-2.safetensors")
    assert models.name_of(old) == "compact-2"
    with pytest.raises(
        ModelError, match=r"compact-2 is an earlier .*git show \w+:models/compact-2.safetensors"
    ):
        models.find(old)
    with pytest.raises(
        ModelError, match=r"compact-2 is an earlier .*git show \w+:models/compact-2.safetensors"
    ):
        rnncodec.load("compact-2")
    monkeypatch.setenv(models.VARIABLE, str(weights.parent))
    assert rnncodec.load("compact-2").fingerprint == old
    assert (
        models.find(old) == models.path_of("compact-2") == weights.parent / "compact-2.safetensors"
    )


def test_the_name_of_a_release_stands_for_that_model_alone(weights) -> None:
    other = "00" * 16
    (weights / models.RELEASES).write_text(json.dumps({"compact-2": other}))
    with pytest.raises(ModelError, match=rf"not its fingerprint: expected {other}, got "):
        rnncodec.load("compact-2")
    assert models.path_of(weights / "compact-2.safetensors").is_file(), "a path is as it is"


def test_places_are_files_and_folders(tiny: Codec, tmp_path, monkeypatch) -> None:
    file = tmp_path / "run" / "model.safetensors"
    tiny.save(file)
    listed = [str(file), str(tmp_path / "missing"), "", str(tmp_path / "shelf")]
    monkeypatch.setenv(models.VARIABLE, os.pathsep.join(listed))
    assert models.names() == ["model", "tiny"]
    assert models.path_of("tiny") == tmp_path / "shelf" / "tiny.safetensors"
    assert models.find(tiny.fingerprint) == file


def test_a_path_is_taken_as_it_is(tiny: Codec, tmp_path: Path) -> None:
    file = tmp_path / "shelf" / "tiny.safetensors"
    assert models.path_of(str(file)) == file
    assert models.path_of(Path("tiny")) == Path("tiny")


def test_unknown_name_lists_the_known_ones(weights: Path) -> None:
    with pytest.raises(ModelError, match=r"compct: no such .* compact, paper, compact-10, comp"):
        models.path_of("compct")


def test_nothing_packaged(tiny: Codec) -> None:
    with pytest.raises(ModelError, match=r"compact: .*packages no model; names known here: tiny"):
        rnncodec.load()


def test_unknown_fingerprint_says_where_it_looked(tiny: Codec, tmp_path: Path) -> None:
    save_file({"x": torch.zeros(1)}, tmp_path / "shelf" / "foreign.safetensors")
    with pytest.raises(ModelError, match=r"fingerprint 0f0f.*shelf, the packaged.*foreign.safe"):
        models.find(b"\x0f" * 16)
    assert models.name_of(b"\x0f" * 16) is None


def rewrite(path: Path, **changes: object) -> None:
    """Alter the description of a model file, not its weights."""
    from rnncodec.models.model_description import KEY, read_description

    description = read_description(path) | changes
    description = {key: value for key, value in description.items() if value != "absent"}
    save_file(load_file(path), path, metadata={KEY: json.dumps(description)})


def test_a_file_that_states_no_fingerprint_is_found_all_the_same(tiny, tmp_path) -> None:
    path = tmp_path / "shelf" / "tiny.safetensors"
    rewrite(path, fingerprint="absent")
    assert models.find(tiny.fingerprint) == path
    assert rnncodec.load(path).fingerprint == tiny.fingerprint


def test_a_false_fingerprint_finds_the_file_but_does_not_load_it(tiny, tmp_path) -> None:
    path = tmp_path / "shelf" / "tiny.safetensors"
    rewrite(path, fingerprint="00" * 16)
    assert models.find(bytes(16)) == path
    with pytest.raises(ModelError, match=f"damaged or altered: .*0000.*{tiny.fingerprint.hex()}"):
        rnncodec.load(path)


def test_a_fingerprint_that_is_no_number(tiny, tmp_path) -> None:
    rewrite(tmp_path / "shelf" / "tiny.safetensors", fingerprint="xyz")
    with pytest.raises(ModelError, match="description is damaged"):
        models.fingerprint_of(tmp_path / "shelf" / "tiny.safetensors")


def test_half_precision_states_the_fingerprint_of_what_is_loaded(tiny, tmp_path) -> None:
    tiny.save(tmp_path / "half.safetensors", dtype=torch.float16)
    half = rnncodec.load(tmp_path / "half.safetensors")
    assert models.fingerprint_of(tmp_path / "half.safetensors") == half.fingerprint
    assert half.fingerprint != tiny.fingerprint


def test_unusable_device(tiny: Codec) -> None:
    with pytest.raises(ConfigError, match="device=warp: cannot be used here"):
        rnncodec.load("tiny", device="warp")
