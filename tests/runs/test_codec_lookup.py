"""A folder of runs stands for the codec that a job's cell and reconstruction name."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from hydra import compose, initialize_config_dir
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf

from rnncodec import models
from rnncodec.codec import Codec
from rnncodec.entropy.integer import IntegerModel
from rnncodec.errors import ConfigError
from rnncodec.experiment import register_resolvers
from rnncodec.models import model_file
from rnncodec.network.autoencoder import Network
from rnncodec.runs.codec_lookup import codec_file, factors
from rnncodec.runs.run_directory import RunFiles
from rnncodec.runs.run_names import sweep_name
from rnncodec.runs.run_settings import settings

GROUPS = ("cell", "recon")
GRU = ("cell=gru", "recon=additive")


def asked(*overrides: str) -> DictConfig:
    register_resolvers()
    with initialize_config_dir(str(Path("conf").resolve()), version_base="1.3"):
        return compose("config", overrides=["run_dir=x", "logger=csv", *overrides])


def trained(folder: Path, *overrides: str) -> Path:
    """A run's model file."""
    cfg = asked(*overrides)
    names = {group: {"name": dict(o.split("=") for o in overrides)[group]} for group in GROUPS}
    torch.manual_seed(0)
    network = Network.from_config({**names, "width": 0.125, "iterations": 1})
    model_file.save(
        folder / "model.safetensors",
        model_file.Model(network, notes={"settings": settings(cfg)}),
    )
    return folder / "model.safetensors"


def test_found_whatever_its_run_is_called(tmp_path: Path) -> None:
    path = trained(tmp_path / "trainer.max_steps=9,whatever", *GRU, "seed=5")
    trained(tmp_path / "other", "cell=lstm", "recon=additive")
    assert codec_file(asked(*GRU, f"codec={tmp_path}")) == path
    assert codec_file(asked("codec=elsewhere/model.safetensors")) == Path(
        "elsewhere/model.safetensors"
    )


def test_of_several_seeds_that_of_the_job(tmp_path: Path) -> None:
    paths = [trained(tmp_path / str(seed), *GRU, f"seed={seed}") for seed in (0, 1)]
    found = [codec_file(asked(*GRU, f"codec={tmp_path}", f"seed={seed}")) for seed in (0, 1)]
    assert found == paths
    with pytest.raises(ConfigError, match=r"0 finished codecs of cell=gru .* seed=2"):
        codec_file(asked(*GRU, f"codec={tmp_path}", "seed=2"))


def test_none_or_two_alike_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"0 finished codecs of cell=gru recon=additive, expec"):
        codec_file(asked(*GRU, f"codec={tmp_path}"))
    for name in ("a", "b"):
        trained(tmp_path / name, *GRU)
    with pytest.raises(ConfigError, match=r"2 finished codecs .* expected one: a, b; finish"):
        codec_file(asked(*GRU, f"codec={tmp_path}"))


def test_runs_with_an_entropy_model_are_no_codecs(tmp_path: Path) -> None:
    path = trained(tmp_path / "codec", *GRU)
    with_entropy = model_file.load(models.path_of("compact"))
    assert isinstance(with_entropy.entropy, IntegerModel)
    names = {name: with_entropy.network.config[name]["name"] for name in GROUPS}
    model_file.save(tmp_path / "entropy" / "model.safetensors", with_entropy)
    assert codec_file(asked(*GRU, f"codec={tmp_path}")) == path
    factors = [f"{name}={value}" for name, value in names.items()]
    with pytest.raises(ConfigError, match="0 finished codecs"):
        codec_file(asked(*factors, f"codec={tmp_path}"))


def test_other_photographs_than_the_codec_was_trained_with_are_refused(tmp_path: Path) -> None:
    """As `+sweeps=entropy_grid codec=outputs/paper_grid`, which learns from the demo's."""
    trained(tmp_path / "a", *GRU, "data=folder", "data.root=photos")
    grid = f"codec={tmp_path}"
    with pytest.raises(ConfigError, match=r"trained with data=FolderData, .*with data=DemoData"):
        codec_file(asked(*GRU, grid))
    with pytest.raises(ConfigError, match=r"data.root=photos, .* with data.root=others"):
        codec_file(asked(*GRU, grid, "data=folder", "data.root=others"))
    assert codec_file(asked(*GRU, grid, "data=folder", "data.root=photos", "data.num_workers=4"))


def composed(*overrides: str, hydra: bool = False) -> DictConfig:
    register_resolvers()
    with initialize_config_dir(str(Path("conf").resolve()), version_base="1.3"):
        return compose("config", overrides=list(overrides), return_hydra_config=hydra)


@pytest.fixture
def _no_hydra_left() -> Iterator[None]:
    yield
    HydraConfig.instance().cfg = None


def test_factors_are_named_as_on_the_command_line(tmp_path: Path) -> None:
    cfg = composed("cell=assoc_lstm", "recon=scaled_additive", "entropy=progressive")
    named = {"cell": "assoc_lstm", "recon": "scaled_additive", "entropy": "progressive"}
    assert factors(cfg, RunFiles(tmp_path)) == named


def test_factors_of_a_given_codec_are_its_own(tiny_codec: Codec, tmp_path: Path) -> None:
    tiny_codec.save(tmp_path / "given.safetensors")
    given = composed("cell=lstm", f"codec={tmp_path / 'given.safetensors'}", "entropy=binary_rnn")
    own = {"cell": "gru", "recon": "additive", "entropy": "binary_rnn"}
    assert factors(given, RunFiles(tmp_path / "run")) == own
    (tmp_path / "given.safetensors").rename(tmp_path / "model.safetensors")
    assert factors(given, RunFiles(tmp_path)) == own, "from the result, once there is one"


@pytest.mark.usefixtures("_no_hydra_left")
@pytest.mark.parametrize(
    ("overrides", "name"),
    [
        (["hydra.mode=MULTIRUN", "hydra.sweep.dir=outputs/demo_grid"], "demo_grid"),
        (["hydra.mode=MULTIRUN"], None),
        (["hydra.mode=RUN"], None),
    ],
)
def test_a_run_is_in_the_group_of_its_sweep(overrides: list[str], name: str | None) -> None:
    cfg = composed(*overrides, hydra=True)
    HydraConfig.instance().set_config(cfg)
    assert sweep_name() == name
    assert OmegaConf.select(cfg, "logger.group") == name


def test_without_hydra_there_is_no_sweep() -> None:
    assert not HydraConfig.initialized()
    assert sweep_name() is None
