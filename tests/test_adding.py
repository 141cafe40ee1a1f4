"""How many edits an addition takes (CONTRIBUTING.md): each test makes just those, and looks."""

import importlib
import re
import shutil
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch
from hydra import compose, initialize_config_dir
from hydra.utils import instantiate
from omegaconf import DictConfig

from rnncodec import entropy
from rnncodec.cli import app
from rnncodec.entropy import model_class, quantize
from rnncodec.evaluation import baselines
from rnncodec.experiment import register_resolvers
from rnncodec.images import distortion
from rnncodec.network import cells
from rnncodec.network.autoencoder import Network
from rnncodec.network.recon.additive import Additive
from rnncodec.network.unroll import unroll

GUIDE = Path("docs/guides/add-a-cell.md")
CONTRIBUTING = Path("CONTRIBUTING.md")


def put(
    package: ModuleType, folder: Path, name: str, source: str, patch: pytest.MonkeyPatch
) -> None:
    """A module in ``package``, as if the file lay there."""
    (folder / f"{name}.py").write_text(source)
    patch.setattr(package, "__path__", [*package.__path__, str(folder)])
    importlib.invalidate_caches()


def composed(folder: Path, added: str, text: str, *overrides: str) -> DictConfig:
    """The configuration with one more option: a copy of conf/ and one file."""
    shutil.copytree("conf", folder / "conf")
    (folder / "conf" / added).write_text(text)
    register_resolvers()
    with initialize_config_dir(str(folder / "conf"), version_base="1.3"):
        return compose("config", overrides=list(overrides))


def test_a_cell_is_two_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those of the guide: the network is built from it, codes, and is found again by its name."""
    source, options = re.findall(r"```(?:python|yaml)\n(.*?)```", GUIDE.read_text(), re.DOTALL)
    put(cells, tmp_path, "plain", source, monkeypatch)
    cfg = composed(tmp_path, "cell/plain.yaml", options, "cell=plain")
    network = Network(instantiate(cfg.cell), Additive, width=0.125, iterations=2)
    assert network.config["cell"]["name"] == "plain"
    steps = list(unroll(network, torch.rand(1, 3, 32, 32) - 0.5, iterations=2))
    assert steps[-1].x_hat.shape == (1, 3, 32, 32)


def test_a_loss_is_a_part_and_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(distortion.PARTS, "l2", lambda x, y: (x - y).square().mean())
    text = "_target_: rnncodec.training.losses.Mixed\nweights: {l2: 1.0}\n"
    loss = instantiate(composed(tmp_path, "loss/l2.yaml", text, "loss=l2").loss)
    assert loss(torch.zeros(1, 3, 8, 8), torch.full((1, 3, 8, 8), 0.5)).item() == 0.25


def test_an_entropy_model_is_two_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its integer version, which codes, is built from its layers."""
    source = "\n".join(
        (
            "from rnncodec.entropy.binary_rnn import BinaryRNN",
            "class Twin(BinaryRNN):",
            "    pass",
        )
    )
    put(entropy, tmp_path, "twin", source, monkeypatch)
    text = "_target_: rnncodec.entropy.twin.Twin\niterations: ${model.iterations}\nhidden: 16\n"
    model = instantiate(composed(tmp_path, "entropy/twin.yaml", text, "entropy=twin").entropy)
    assert model_class("twin") is type(model)
    assert quantize(model).config["name"] == "twin"


def test_a_baseline_is_one_entry(monkeypatch: pytest.MonkeyPatch) -> None:
    """`BASELINES` is made of the list of all: one more `Baseline` is a codec to measure."""
    grey = baselines.Baseline("ppm", "PPM", (1.0,), (1.0,))
    monkeypatch.setitem(baselines.BASELINES, "ppm", grey)
    picture = np.arange(48, dtype=np.uint8).reshape(4, 4, 3)
    found = baselines.BASELINES["ppm"]
    assert (found.decode(found.encode(picture, 1.0)) == picture).all()


def test_a_command_is_one_file_and_its_registration() -> None:
    """Each file of commands/ with a function of its own name is one; the only other is fetch."""
    registered = {command.callback.__name__ for command in app.registered_commands}
    files = {
        path.stem
        for path in Path("src/rnncodec/commands").glob("*.py")
        if f"\ndef {path.stem}(" in path.read_text()
    }
    assert registered == files | {"fetch"}


@pytest.mark.parametrize(
    "kind", ["A cell", "A loss", "A metric", "A baseline", "An entropy model", "A command"]
)
def test_contributing_shows_each_in_ten_lines(kind: str) -> None:
    text = CONTRIBUTING.read_text()
    section = re.search(rf"^## {kind}: .*?(?=^## )", text, re.DOTALL | re.MULTILINE)
    assert section is not None
    assert len(section[0].strip().splitlines()) <= 10
