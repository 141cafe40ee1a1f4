import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import save_file
from tests.comparison.sweep import WEIGHTS, make_run, start

from rnncodec.comparison.runs import find_runs
from rnncodec.errors import DataError
from rnncodec.evaluation.results import read_results, write_results


def test_a_finished_run_is_read(tmp_path: Path) -> None:
    optim = {"lr": 0.01}
    make_run(tmp_path / "a", cell="lstm", entropy="progressive", seed=3, optim=optim)
    (run,), unfinished = find_runs([tmp_path])
    assert unfinished == []
    assert (run.name, run.cell, run.recon, run.entropy) == ("a", "lstm", "additive", "progressive")
    assert (run.seed, run.parameters, run.score, run.gain) == (3, 15, 0.5, 0.125)
    assert run.settings == {"optim.lr": "0.01"}
    assert len(run.results) == 8 * 16


def test_the_data_of_the_codec_stay_its_own_and_others_of_the_entropy_model_are_told(
    tmp_path: Path,
) -> None:
    own = {"seed": 5, "data": {"root": "b", "batch_size": 4, "num_workers": 3}}
    data = {"root": "a", "batch_size": 4, "num_workers": 0}
    make_run(tmp_path, entropy="progressive", entropy_settings=own, data=data)
    ((run,), _) = find_runs([tmp_path])
    assert run.seed == 5
    assert run.settings == {"data.root": "a", "data.batch_size": "4", "entropy.data.root": "b"}


def test_without_an_entropy_model_its_training_is_no_setting(tmp_path: Path) -> None:
    make_run(tmp_path, entropy="none", entropy_fit={"max_steps": 9}, optim={"ema": 0.9})
    ((run,), _) = find_runs([tmp_path])
    assert run.settings == {"optim.ema": "0.9"}


def test_what_is_not_finished_is_listed_with_what_it_lacks(tmp_path: Path) -> None:
    start(tmp_path / "begun")
    going = start(tmp_path / "going") / "checkpoints"
    going.mkdir()
    (going / "last.ckpt").touch()
    half = start(tmp_path / "half") / "checkpoints"
    half.mkdir()
    (half / "codec.safetensors").touch()
    (make_run(tmp_path / "old") / "evaluation" / "results.csv").unlink()
    (make_run(tmp_path / "trained") / "evaluation" / "summary.json").unlink()
    runs, unfinished = find_runs([tmp_path])
    assert runs == []
    assert {run.name: run.missing for run in unfinished} == {
        "begun": "training is not finished (no checkpoint)",
        "going": "training is not finished (there is a checkpoint to resume from)",
        "half": "the codec is trained, its entropy model is not",
        "old": "evaluated without a results.csv: remove evaluation/summary.json and repeat the "
        "run",
        "trained": "trained, but not evaluated",
    }


@pytest.mark.parametrize(
    ("file", "text", "message"),
    [
        ("model.safetensors", "nonsense", "not a model file"),
        ("evaluation/summary.json", "{", "damaged"),
        ("evaluation/summary.json", '{"entropy": 1}', "damaged"),
        ("evaluation/results.csv", "a,b\n", "expected the columns"),
    ],
)
def test_a_damaged_run_is_listed_and_stops_nothing(
    tmp_path: Path, file: str, text: str, message: str
) -> None:
    make_run(tmp_path / "good")
    (make_run(tmp_path / "bad") / file).write_text(text)
    runs, (bad,) = find_runs([tmp_path])
    assert [run.name for run in runs] == ["good"]
    assert bad.name == "bad"
    assert message in bad.missing


def test_rows_of_another_codec_are_never_taken_for_the_run_s(tmp_path: Path) -> None:
    table = make_run(tmp_path / "a") / "evaluation" / "results.csv"
    rows = read_results(table)
    write_results(table, [*rows, replace(rows[0], codec="webp")])
    runs, (left,) = find_runs([tmp_path])
    assert runs == []
    assert "expected the run's model alone, got " in left.missing


def test_runs_are_found_once_and_at_any_depth(tmp_path: Path) -> None:
    inner = make_run(tmp_path / "sweep" / "deep" / "a")
    make_run(inner / "wandb" / "copy")
    make_run(tmp_path / "other" / "a")
    runs, _ = find_runs([tmp_path / "sweep", inner, tmp_path / "other"])
    assert [run.name for run in runs] == ["a", "deep/a"]
    runs, _ = find_runs([inner, tmp_path / "other"])
    assert sorted(run.name for run in runs) == sorted(["a", str(tmp_path / "other" / "a")])


def test_a_folder_without_runs_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such folder"):
        find_runs([tmp_path / "nowhere"])
    with pytest.raises(DataError, match="no run here"):
        find_runs([tmp_path])


def test_a_run_that_diverged_is_not_ranked(tmp_path: Path) -> None:
    """As versions left it that took the black pictures of a network of NaN for its work."""
    make_run(tmp_path / "good")
    make_run(tmp_path / "nan score", score=math.nan)
    bad = make_run(tmp_path / "nan weights", score=10.9) / "model.safetensors"
    with safe_open(bad, framework="numpy") as file:
        description = file.metadata()
    save_file(WEIGHTS | {"network.a": np.full((3, 5), np.nan, np.float32)}, bad, description)
    runs, left = find_runs([tmp_path])
    assert [run.name for run in runs] == ["good"]
    assert {run.name: run.missing for run in left} == {
        "nan score": "the training diverged (selection score nan); train it again with a lower "
        "learning rate",
        "nan weights": "the training diverged (network.a is not finite); train it again with a "
        "lower learning rate",
    }
