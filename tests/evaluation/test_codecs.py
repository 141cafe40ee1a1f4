"""Our models as an evaluation sees them."""

import copy
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch

from rnncodec.codec import Codec
from rnncodec.errors import ConfigError, ModelError
from rnncodec.evaluation.codecs import EvaluatedModel, named_models


@pytest.fixture
def path(tiny_codec: Codec, tmp_path: Path) -> Path:
    path = tmp_path / "tiny.safetensors"
    tiny_codec.save(path)
    return path


def test_a_model_travels_without_its_weights(path: Path) -> None:
    model = EvaluatedModel("tiny", path)
    assert model.codec.iterations == 3
    assert len(pickle.dumps(model)) < 2000
    assert pickle.loads(pickle.dumps(model)).codec.fingerprint == model.codec.fingerprint


def test_fewer_iterations_are_a_shorter_file_and_another_identity(path: Path) -> None:
    image = np.full((32, 32, 3), 90, np.uint8)
    short, whole = EvaluatedModel("a", path, iterations=2), EvaluatedModel("b", path)
    assert [coded.setting for coded in short.code(image)] == ["t=1", "t=2"]
    assert [coded.iteration for coded in whole.code(image)] == [1, 2, 3]
    assert short.identity() != whole.identity()
    assert EvaluatedModel("c", path).identity() == whole.identity(), "the name says nothing"


@pytest.mark.parametrize("iterations", [0, 4])
def test_iterations_out_of_range_are_refused(iterations: int, path: Path) -> None:
    with pytest.raises(ConfigError, match=f"iterations={iterations}: .* trained for 1..3"):
        EvaluatedModel("tiny", path, iterations=iterations)


def test_a_model_file_that_changes_meanwhile_is_an_error(path: Path, tiny_codec: Codec) -> None:
    from rnncodec.models.model_file import Model

    model = EvaluatedModel("tiny", path)
    Codec(Model(tiny_codec.model.network)).save(path)
    with pytest.raises(ModelError, match=r"tiny\.safetensors: changed while it was evaluated"):
        _ = model.codec


def test_another_encoder_is_another_model_though_the_same_decoder_reads_it(
    path: Path, tiny_codec: Codec
) -> None:
    whole = copy.deepcopy(tiny_codec.model)
    with torch.no_grad():
        next(whole.network.encoder.parameters()).add_(1)
    other = path.parent / "run" / path.name
    Codec(whole).save(other)
    found = named_models([str(path), str(other)], iterations=None, device="cpu")
    assert found[0].facts["fingerprint"] == found[1].facts["fingerprint"]
    assert found[0].identity() != found[1].identity()
    assert len({model.name for model in found}) == 2


def test_a_model_never_has_the_name_of_another_codec(path: Path) -> None:
    (model,) = named_models([str(path)], iterations=None, device="cpu", taken=["tiny"])
    assert model.name == f"tiny-{model.facts['fingerprint'][:6]}"


@pytest.mark.usefixtures("tiny")
def test_a_run_directory_names_its_model(tiny_codec: Codec, tmp_path: Path) -> None:
    run = tmp_path / "cell=gru,recon=additive" / "model.safetensors"
    Codec(type(tiny_codec.model)(tiny_codec.model.network)).save(run)
    found = named_models([str(run), "tiny"], iterations=None, device="cpu")
    assert [model.name for model in found] == ["cell=gru,recon=additive", "tiny"]
