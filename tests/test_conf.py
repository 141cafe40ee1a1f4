"""Every option of conf/ exists, is spelt as its target spells it, and composes."""

import inspect
import itertools
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.types import RunMode
from hydra.utils import get_object, instantiate
from omegaconf import DictConfig, ListConfig, OmegaConf, read_write

from rnncodec import entropy
from rnncodec.errors import ConfigError
from rnncodec.experiment import MOVED, register_resolvers, update_targets
from rnncodec.models.model_description import part_name
from rnncodec.network import cells, families, recon
from rnncodec.runs.preflight import check
from rnncodec.runs.run_directory import RunFiles

WHOLE = ("experiment", "launcher")  # groups whose options change settings of other groups
LEAVES = sorted(path for path in Path("conf").glob("*/*.yaml") if path.parent.name not in WHOLE)
PRESETS = sorted(path.stem for path in Path("conf/experiment").glob("*.yaml"))
GRID = [sorted(p.stem for p in Path("conf", group).glob("*.yaml")) for group in ("cell", "recon")]
GROUPS = (
    *("cell", "recon", "entropy", "entropy_fit", "model", "loss", "rate", "optim", "data"),
    *("eval", "trainer", "logger", "launcher", "experiment"),
)


@pytest.fixture(autouse=True)
def no_trace_in_other_tests() -> Iterator[None]:
    """`composed` tells Hydra that it runs, and in which mode."""
    yield
    HydraConfig.instance().cfg = None


def composed(*overrides: str) -> DictConfig:
    register_resolvers()
    with initialize_config_dir(str(Path("conf").resolve()), version_base="1.3"):
        cfg = compose("config", overrides=list(overrides), return_hydra_config=True)
    HydraConfig.instance().set_config(cfg)  # what ${hydra:...} reads; train.py sets it, too
    return cfg


def targets(node: object):
    """All nodes with a _target_, at any depth."""
    if isinstance(node, DictConfig):
        if "_target_" in node:
            yield node
        for key in node:
            if not OmegaConf.is_missing(node, key) and not OmegaConf.is_interpolation(node, key):
                yield from targets(node[key])
    elif isinstance(node, ListConfig):
        for value in node:
            yield from targets(value)


def test_the_groups_are_those_the_readme_names() -> None:
    assert sorted(p.name for p in Path("conf").iterdir() if p.is_dir()) == sorted(GROUPS)


@pytest.mark.parametrize("path", LEAVES, ids=lambda p: f"{p.parent.name}/{p.stem}")
def test_keys_are_parameters_of_the_target(path: Path) -> None:
    found = list(targets(OmegaConf.load(path)))
    assert found or path.stem in ("csv", "none"), "a leaf names what it builds"
    for node in found:
        signature = inspect.signature(get_object(node["_target_"]))
        if any(p.kind is p.VAR_KEYWORD for p in signature.parameters.values()):
            signature = signature.replace(parameters=all_parameters(get_object(node["_target_"])))
        keys = {key for key in node if not key.startswith("_")}
        assert keys <= set(signature.parameters), keys - set(signature.parameters)


def all_parameters(target: object) -> list[inspect.Parameter]:
    """Named parameters of a class and its bases, for constructors that pass **keywords on."""
    found: dict[str, inspect.Parameter] = {}
    for owner in inspect.getmro(target) if inspect.isclass(target) else [target]:
        function = owner.__init__ if inspect.isclass(target) else owner
        for p in inspect.signature(function).parameters.values():
            if p.kind not in (p.VAR_KEYWORD, p.VAR_POSITIONAL):
                found.setdefault(p.name, p.replace(kind=p.KEYWORD_ONLY))
    return list(found.values())


@pytest.mark.parametrize("path", LEAVES, ids=lambda p: f"{p.parent.name}/{p.stem}")
def test_leaves_are_short(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= 15


@pytest.mark.parametrize(
    ("group", "package"), [("cell", cells), ("recon", recon), ("entropy", entropy)]
)
def test_one_name_three_places(group: str, package) -> None:
    options = sorted(path.stem for path in Path("conf", group).glob("*.yaml"))
    assert [
        name for name in options if families.RENAMED.get(name, name) in families.names(package)
    ] == options


@pytest.mark.parametrize(
    ("cell", "recon_name"),
    list(itertools.product(*GRID)),
)
def test_every_codec_of_the_grid_composes(cell: str, recon_name: str) -> None:
    cfg = composed(f"cell={cell}", f"recon={recon_name}", "model=tiny")
    network = instantiate(cfg.model, _convert_="object")
    assert network.config["cell"]["name"] == cell
    assert part_name(network.config["recon"]) == families.RENAMED.get(recon_name, recon_name)


@pytest.mark.parametrize("group", GROUPS)
def test_every_option_composes(group: str) -> None:
    for path in Path("conf", group).glob("*.yaml"):
        assert group in composed(f"{group}={path.stem}") or group in WHOLE


@pytest.mark.parametrize("path", sorted(Path("sweeps").glob("*.yaml")), ids=lambda p: p.stem)
def test_sweeps_say_what_they_ask_and_compose(path: Path) -> None:
    text = path.read_text()
    for part in (
        f"python train.py -m +sweeps={path.stem}",
        "# Cost: ",
        "?",
        f"outputs/{path.stem}",
    ):
        assert part in text
    cfg = composed(f"+sweeps={path.stem}")
    assert cfg.trainer.max_time is not None or cfg.trainer.max_steps > 0


@pytest.mark.parametrize(("launcher", "workers"), [("local", 0), ("slurm", 4)])
def test_the_grids_for_several_gpus_have_loaders_where_they_can(
    launcher: str, workers: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RNNCODEC_TRAIN", "photos")
    for grid in ("paper_grid", "paper_entropy_grid"):
        assert composed(f"launcher={launcher}", f"+sweeps={grid}").data.num_workers == workers


def test_loader_workers_beside_the_local_launcher_are_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    cfg = composed("launcher=local", "data.num_workers=2", "logger=csv", f"run_dir={tmp_path}")
    with read_write(cfg.hydra):
        cfg.hydra.mode = RunMode.MULTIRUN
    monkeypatch.setattr(HydraConfig.instance(), "cfg", cfg)
    with pytest.raises(ConfigError, match=r"data\.num_workers=2 with launcher=local: .*clash"):
        check(cfg, RunFiles(tmp_path))


@pytest.mark.parametrize("named", ["name=x", "experiment=demo"])
def test_jobs_of_a_sweep_with_a_name_have_folders_of_their_own(named: str) -> None:
    folders = {composed(named, f"cell={cell}").hydra.sweep.subdir for cell in ("gru", "lstm")}
    assert len(folders) == 2
    assert composed("name=x", "cell=gru").hydra.run.dir == "outputs/x"


@pytest.mark.parametrize("preset", PRESETS)
def test_presets_build_a_network_and_end(preset: str) -> None:
    cfg = composed(f"experiment={preset}")
    assert instantiate(cfg.model, _convert_="object").iterations >= 1
    assert cfg.trainer.max_time is not None or cfg.trainer.max_steps > 0


def documented() -> Iterator[tuple[str, str]]:
    """(file, command) of every `python train.py ...` that a reader may copy."""
    pages = (Path("README.md"), *sorted(Path("docs").rglob("*.md")))
    settings = (*sorted(Path("conf").rglob("*.yaml")), *sorted(Path("sweeps").glob("*.yaml")))
    for path in pages:
        for block in re.findall(r"^```sh\n(.*?)^```", path.read_text(), re.DOTALL | re.MULTILINE):
            yield from ((str(path), line) for line in block.replace("\\\n", "").splitlines())
    for path in settings:
        comments = re.findall(r"^#   ?(.*\n?)", path.read_text(), re.MULTILINE)
        lines = "".join(comments).replace("\\\n", "").splitlines()
        yield from ((str(path), line) for line in lines)


COMMANDS = [(path, line) for path, line in documented() if "python train.py " in line]


@pytest.mark.parametrize(("path", "line"), COMMANDS)
def test_documented_commands_compose(
    path: str, line: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RNNCODEC_TRAIN", "photos")
    words = shlex.split(re.sub(r"\$\w+", "/x", line), comments=True)
    arguments = [word for word in words[words.index("train.py") + 1 :] if word != "-m"]
    if arguments == ["--help"]:
        return
    overrides = OverridesParser.create().parse_overrides(arguments)
    one_job = [
        f"{each.get_key_element()}={next(each.sweep_string_iterator())}"
        if each.is_sweep_override()
        else each.input_line
        for each in overrides
    ]
    assert "run_dir" in composed(*one_job)


def test_there_are_documented_commands_everywhere() -> None:
    assert len(COMMANDS) > 25
    assert {path.split("/")[0] for path, _ in COMMANDS} == {"README.md", "docs", "conf", "sweeps"}


def test_classes_of_earlier_configurations_are_found_where_they_are_now() -> None:
    for old, new in MOVED.items():
        assert inspect.isclass(get_object(new))
        node = OmegaConf.create({"entropy_fit": {"data": {"_target_": old, "crops": "${seed}"}}})
        update_targets(node)
        assert node.entropy_fit.data._target_ == new
    cfg = composed("entropy_fit.data._target_=rnncodec.training.codes.CodeData")
    update_targets(cfg)
    assert cfg.entropy_fit.data._target_ == "rnncodec.training.code_data.CodeData"
