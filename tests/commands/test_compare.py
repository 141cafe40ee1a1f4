from collections.abc import Callable
from pathlib import Path

import pytest
from tests.comparison.sweep import make_run, start

from rnncodec.commands import compare


@pytest.fixture
def sweep(tmp_path: Path) -> Path:
    for k, cell in enumerate(("gru", "lstm", "gru_resnet", "assoc_lstm")):
        for recon in ("additive", "one_shot"):
            make_run(tmp_path / "sweep" / f"{cell},{recon}", cell=cell, recon=recon, gain=k / 4)
    start(tmp_path / "sweep" / "begun")
    return tmp_path / "sweep"


def test_a_sweep_is_ranked_explained_and_written(command: Callable, sweep: Path) -> None:
    out = sweep.parent / "out"
    done = command("compare", sweep, "--out", out)
    assert (done.code, done.err) == (0, "")
    lines = done.out.splitlines()
    first = next(line for line in lines if line.startswith("1 "))
    assert first.split()[:5] == ["1", "assoc_lstm", "additive", "none", "1"]
    assert any(line.startswith("begun") and "not finished" in line for line in lines)
    assert any(line.startswith("cell") and line.endswith("100.0%") for line in lines)
    assert lines[-1] == str(out / "rd.png")
    again = command("compare", sweep, "--out", out)
    assert again.code == 2
    assert "--force replaces them" in again.err
    assert command("compare", sweep / "begun", "--out", out, "--force").code == 0
    assert "no run is finished yet" in (out / "table.md").read_text()


def test_what_cannot_be_compared_is_one_line(command: Callable, tmp_path: Path) -> None:
    done = command("compare", tmp_path)
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith(f"rnncodec: {tmp_path}: no run here; expected")
    done = command("compare", tmp_path, "--published", "a.csv")
    assert "give --out DIR, too" in done.err


def test_without_the_laboratory_it_says_what_to_install(
    command: Callable, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(compare.importlib.util, "find_spec", lambda name: None)
    done = command("compare", tmp_path)
    assert done.code == 2
    assert "rnncodec[train]" in done.err
