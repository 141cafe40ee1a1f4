"""Sweeps are found wherever the command is given, and what nothing reads is refused."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import MissingConfigException
from omegaconf import DictConfig, open_dict

from rnncodec.errors import ConfigError
from rnncodec.experiment import register_resolvers
from rnncodec.runs.preflight import check, check_read, with_home
from rnncodec.runs.run_directory import RunFiles

CONF = Path("conf").resolve()


@pytest.fixture(autouse=True)
def _no_hydra_left() -> Iterator[None]:
    yield
    HydraConfig.instance().cfg = None


def job(*overrides: str, conf: Path = CONF) -> DictConfig:
    """The configuration of a job, as `train.py` gets it."""
    register_resolvers()
    with initialize_config_dir(str(conf), version_base="1.3"):
        cfg = compose("config", ["logger=csv", *overrides], return_hydra_config=True)
    HydraConfig.instance().set_config(cfg)
    own = cfg.copy()
    with open_dict(own):
        del own["hydra"]
    return own


def test_the_working_directory_says_nothing_of_where_sweeps_and_groups_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for group, text in (("sweeps", "seed: 7"), ("cell", "seed: 8")):
        (tmp_path / group).mkdir()
        (tmp_path / group / "mine.yaml").write_text(f"# @package _global_\n{text}\n")
    monkeypatch.chdir(tmp_path)
    cfg = job("+sweeps=demo_grid")
    assert set(HydraConfig.get().sweeper.params) == {"cell", "recon"}
    assert cfg.trainer.max_steps == 200
    with pytest.raises(MissingConfigException, match="Could not find 'cell/mine'"):
        job("cell=mine")


def test_a_sweep_is_refused_where_there_are_none(tmp_path: Path) -> None:
    shutil.copytree(CONF, tmp_path / "conf")
    cfg = job("+sweeps=demo_grid", f"run_dir={tmp_path}", conf=tmp_path / "conf")
    with pytest.raises(ConfigError, match=r"sweeps=demo_grid: not found, expected a folder"):
        check(cfg, RunFiles(tmp_path))
    HydraConfig.instance().cfg = None
    with pytest.raises(ConfigError, match=r"sweeps=demo_grid: not found, expected a folder"):
        check(cfg, RunFiles(tmp_path))


def test_one_that_is_not_among_them_is_refused_with_those_that_are() -> None:
    with pytest.raises(MissingConfigException, match=r"demo-grid'\n\nAvailable[^.]*\tdemo_grid\n"):
        job("+sweeps=demo-grid")


@pytest.mark.parametrize("typed", ["+sweep=demo_grid", "+lr=0.1", "+laucher={a: slurm}"])
def test_an_added_setting_that_nothing_reads_is_refused(tmp_path: Path, typed: str) -> None:
    name = typed.partition("=")[0]
    with pytest.raises(ConfigError, match=rf"\{name}=.*: nothing reads a setting of this name"):
        check(job(typed, f"run_dir={tmp_path}"), RunFiles(tmp_path))


@pytest.mark.parametrize(
    "typed",
    [
        ["+steps=9", "trainer.max_steps=${steps}"],
        ["+place=x", "hydra.sweep.dir=outputs/${place}"],
        ["+trainer.gradient_clip_algorithm=value"],
        ["++seed=3"],
        ["+sweeps=recipe"],
        ["launcher=local", "+sweeps=demo_grid"],
    ],
)
def test_what_is_read_may_pass(tmp_path: Path, typed: list[str]) -> None:
    check(job(*typed, f"run_dir={tmp_path}"), RunFiles(tmp_path))


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("data.root=~/photos", "data.root=HOME/photos"),
        ("data.root=~", "data.root=HOME"),
        ("data.root=[~/a,~/b]", "data.root=[HOME/a,HOME/b]"),
        ("data.root=~/a,/b,~/c", "data.root=HOME/a,/b,HOME/c"),
        ("data.root=/a~/b", None),
        ("data.root=~nobody", None),
        ("~logger", None),
        ("name=a", None),
    ],
)
def test_the_home_folder_is_put_in_for_what_hydra_cannot_read(
    given: str, expected: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (found,) = with_home([given])
    if expected is None:
        assert found == given
    else:
        assert found == expected.replace("HOME", str(tmp_path))
        OverridesParser.create().parse_overrides([found])


@pytest.mark.parametrize("option", ["cell=gru", "loss=l1"])
def test_an_option_that_ours_would_hide_is_refused(tmp_path: Path, option: str) -> None:
    group, _, name = option.partition("=")
    (tmp_path / group).mkdir()
    (tmp_path / group / f"{name}.yaml").write_text("_target_: mylab.parts.Mine\n_partial_: true\n")
    cfg = job(option, f"hydra.searchpath=[file://{tmp_path}]")
    with pytest.raises(
        ConfigError, match=rf"{option}: there are .*{group}/{name}.yaml and .*another"
    ):
        check_read(cfg)
