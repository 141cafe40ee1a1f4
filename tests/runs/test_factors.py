from collections.abc import Iterator
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf

from rnncodec.codec import Codec
from rnncodec.experiment import register_resolvers
from rnncodec.runs.factors import factors, sweep_name
from rnncodec.runs.run_directory import RunFiles


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
