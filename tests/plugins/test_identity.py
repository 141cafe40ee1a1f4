"""A run that is there is another one if a class of the user's, or its package, is another."""

import json
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from omegaconf import DictConfig

from rnncodec import plugins
from rnncodec.errors import ConfigError
from rnncodec.experiment import register_resolvers
from rnncodec.runs.preflight import check, check_values
from rnncodec.runs.run_directory import RunFiles
from rnncodec.runs.run_settings import check_settings, record

L1 = "loss._target_=tests.plugins.parts.L1"


def asked(*overrides: str) -> DictConfig:
    register_resolvers()
    with initialize_config_dir(str(Path("conf").resolve()), version_base="1.3"):
        return compose("config", overrides=["run_dir=x", "logger=csv", *overrides])


def begun(folder: Path, *overrides: str) -> RunFiles:
    files = RunFiles(folder)
    record(asked(*overrides), files)
    files.last.parent.mkdir()
    files.last.touch()
    return files


def test_another_class_of_the_same_name_is_another_run(tmp_path: Path) -> None:
    files = begun(tmp_path)
    with pytest.raises(ConfigError, match=r"loss=L1 \(asked for: tests\.plugins\.parts\.L1\)"):
        check_settings(asked(L1), files)
    check_settings(asked(), files)


def test_another_version_of_its_package_is_another_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def version(number: str) -> None:
        found = {"package": "mylab", "version": number}
        monkeypatch.setattr(plugins, "origin", lambda path: {"class": path, **found})

    version("1.0")
    files = begun(tmp_path, L1)
    check_settings(asked(L1), files)
    version("1.1")
    message = r"loss=tests\.plugins\.parts\.L1 \(mylab 1\.0\) \(asked for: .*L1 \(mylab 1\.1\)\)"
    with pytest.raises(ConfigError, match=message):
        check_settings(asked(L1), files)
    recorded = json.loads(files.settings.read_text())
    del recorded["plugins"]  # as an earlier version left it
    files.settings.write_text(json.dumps(recorded))
    check_settings(asked(L1), files)


def test_a_data_module_needs_none_of_our_settings(tmp_path: Path) -> None:
    ours = ("batch_size", "crop", "shrink", "val_images", "val_size", "num_workers", "cache_mb")
    gone = [f"~data.{setting}" for setting in (*ours, "seed")]
    check(asked("data._target_=tests.plugins.parts.Noise", *gone), RunFiles(tmp_path))


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("+trainer.callbacks=[]", r"trainer\.callbacks=\[\]: .*leave it out, .*callbacks=NAME"),
        ("+trainer.logger=false", r"trainer\.logger=False: .*choose as in logger=csv"),
    ],
)
def test_what_the_trainer_would_not_see_is_refused(override: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        check_values(asked(override))


def test_a_folder_on_hydras_search_path_adds_options() -> None:
    folder = Path("examples/plugin/conf").resolve()
    options = ("cell=mingru", "loss=charbonnier", "metrics=[gradient_psnr]")
    cfg = asked(f"hydra.searchpath=[file://{folder}]", *options)
    assert cfg.model.cell._target_ == "rnncodec_plugin.mingru.MinGRU"
    assert cfg.loss._target_ == "rnncodec_plugin.losses.Charbonnier"
    assert list(cfg.metrics) == ["gradient_psnr"]
    assert "metrics" not in asked(), "nor do runs without any record it"
