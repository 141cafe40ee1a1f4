"""The template project of examples/plugin, installed: trained with, loaded, measured, compared."""

import json
import os
import shutil
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.plugins.conftest import SMALL, from_folder, table
from typer.testing import CliRunner

from rnncodec import load, plugins
from rnncodec.cli import app
from rnncodec.errors import ModelError

TEMPLATE = Path("examples/plugin")
PACKAGE = "rnncodec_plugin"
MINGRU = f"{PACKAGE}.mingru.MinGRU"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder into which the template is installed, as it is."""
    folder = tmp_path_factory.mktemp("installed")
    source = shutil.copytree(TEMPLATE, folder / "source")  # a build writes into it
    install = ("install", "--quiet", "--no-deps", "--no-index", "--no-build-isolation")
    options = ("--disable-pip-version-check", "--target", str(folder / "site"))
    started(folder, "-m", "pip", *install, *options, str(source))
    return folder / "site"


def started(path: Path, *arguments: str) -> str:
    """Output of a Python of its own that finds the packages of a folder."""
    environment = os.environ | {"PYTHONPATH": str(path), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, *arguments],
        env=environment, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout


@pytest.fixture(scope="module")
def runs(site: Path, photographs: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sweep with the template's cell, in a process that has it installed."""
    folder = tmp_path_factory.mktemp("runs")
    settings = (*SMALL, *from_folder(photographs), "loss=charbonnier", "metrics=gradient_psnr")
    where = ("--config-dir", str(TEMPLATE / "conf"), f"hydra.sweep.dir={folder / 'cells'}")
    started(site, "train.py", "-m", *where, "cell=mingru", *settings)
    return folder / "cells"


@pytest.fixture(scope="module")
def model(runs: Path) -> Path:
    (found,) = runs.glob("*/model.safetensors")
    return found


@pytest.fixture
def picture(photographs: Path) -> Image.Image:
    return Image.open(next((photographs / "eval").glob("*.png")))


@pytest.fixture
def no_module(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever a test imports of the template is forgotten after it."""
    for name in ("", ".mingru", ".losses", ".metrics", ".baselines"):
        monkeypatch.setitem(sys.modules, PACKAGE + name, None)
        monkeypatch.delitem(sys.modules, PACKAGE + name)


def test_a_run_measures_by_the_metric_and_says_what_it_was_made_with(model: Path) -> None:
    rows = table(model.parent / "evaluation/results.csv")
    assert all(float(row["gradient_psnr"]) > 0 for row in rows)
    settings = json.loads((model.parent / "settings.json").read_text())
    made_of = (MINGRU, f"{PACKAGE}.losses.Charbonnier", f"{PACKAGE}.metrics.gradient_psnr")
    assert settings["plugins"] == dict.fromkeys(made_of, "rnncodec-plugin 0.1.0")


def test_info_names_the_class_and_its_package(model: Path) -> None:
    assert f"plug-ins     {MINGRU} (rnncodec-plugin 0.1.0)" in invoked("info", str(model))


def test_without_the_package_a_model_says_what_to_do(model: Path) -> None:
    message = (
        rf"made with {MINGRU} of rnncodec-plugin 0\.1\.0, which is not known here: install "
        rf"rnncodec-plugin==0\.1\.0; or .*load\(\.\.\., plugins=\[MinGRU\]\).*rnncodec --plugin "
        rf"{PACKAGE}\.mingru"
    )
    with pytest.raises(ModelError, match=message):
        load(model)
    assert PACKAGE not in sys.modules


@pytest.mark.usefixtures("no_module")
def test_installed_it_codes_in_another_process(
    site: Path, model: Path, picture: Image.Image, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(site)
    codec = load(model)
    assert codec.decode(codec.encode(picture)).size == picture.size


@pytest.mark.usefixtures("no_module")
@pytest.mark.parametrize("how", ["class", "module", "name"])
def test_given_it_codes_without_an_installation(
    model: Path, picture: Image.Image, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    monkeypatch.syspath_prepend(TEMPLATE / "src")
    import rnncodec_plugin

    given = {"class": rnncodec_plugin.MinGRU, "module": rnncodec_plugin, "name": PACKAGE}[how]
    codec = load(model, plugins=[given])
    assert codec.decode(codec.encode(picture)).size == picture.size
    assert load(model).fingerprint == codec.fingerprint, "known from here on"


@pytest.mark.usefixtures("no_module")
def test_named_on_the_command_line_it_is_measured_beside_its_baseline(
    model: Path, photographs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(TEMPLATE / "src")
    monkeypatch.setenv(plugins.VARIABLE, "")
    done = invoked(
        *("--plugin", PACKAGE, "evaluate", "--model", str(model)),
        *("--images", str(photographs / "eval"), "--out", str(tmp_path), "--workers", "0"),
        *("--metric", "gradient_psnr", "--baselines", "zlib", "--show", "0"),
    )
    assert "zlib: 2 of 2 images" in done
    rows = table(tmp_path / "results.csv")
    assert {row["codec"] for row in rows} == {model.parent.name, "zlib"}
    assert all(np.isfinite(float(row["gradient_psnr"])) for row in rows)
    assert "Gradient PSNR AUC" in (tmp_path / "table.md").read_text()
    assert os.environ[plugins.VARIABLE] == PACKAGE, "worker processes inherit it"


def invoked(*arguments: str) -> str:
    """What a command of ours prints, in this process."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 0, done.output
    return done.output


def test_a_comparison_needs_nothing_of_it(runs: Path) -> None:
    assert "MinGRU" in invoked("compare", str(runs))


def test_its_own_tests_pass(site: Path) -> None:
    arguments = ("-m", "pytest", "-q", "-p", "no:cacheprovider", "-c", os.devnull)
    assert "5 passed" in started(site, *arguments, "--rootdir", str(TEMPLATE), str(TEMPLATE))


def test_its_python_is_short() -> None:
    lines = [
        line
        for path in (TEMPLATE / "src").rglob("*.py")
        for line in path.read_text().splitlines()
        if line.strip()
    ]
    assert len(lines) <= 80
