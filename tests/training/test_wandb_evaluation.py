"""What a W&B dashboard gets to see, read back from the run's own file."""

import csv
import json
import math
from dataclasses import replace
from pathlib import Path
from statistics import fmean

import numpy as np
import pytest
import torch
from PIL import Image
from tests.training.wandb_file import WandbFile

from rnncodec.codec import Codec
from rnncodec.entropy import quantize
from rnncodec.entropy.progressive import Progressive
from rnncodec.evaluation.codecs import EvaluatedModel, images_in
from rnncodec.evaluation.curves import RDCurve
from rnncodec.evaluation.evaluate import evaluate_model
from rnncodec.evaluation.summary import named_areas
from rnncodec.models.model_file import Model
from rnncodec.network.autoencoder import Network
from rnncodec.network.cells.gru import GRU
from rnncodec.network.recon.additive import Additive
from rnncodec.training.wandb_evaluation import areas, log_evaluation, with_decibels
from rnncodec.training.wandb_logger import finish, wandb_logger

ITERATIONS = 16
METRICS = ("psnr_rgb", "ssim", "ms_ssim", "psnr_hvs", "psnr_hvs_m")
SIZES = {"large": (176, 180), "small": (112, 128)}
"""The small one has no MS-SSIM."""

ENTROPY_NOTES = {
    "name": "progressive",
    "bits_per_bit": {"float": [0.9] * ITERATIONS, "integer": [0.91] * ITERATIONS},
    "rate_lost_to_quantisation": 0.01,
}


@pytest.fixture(scope="module")
def codec() -> Codec:
    """Untrained; as many iterations as the areas need."""
    torch.manual_seed(0)
    network = Network(GRU, Additive, width=0.125, iterations=ITERATIONS)
    entropy = quantize(Progressive(ITERATIONS, 8))
    return Codec(Model(network, entropy, {"entropy": ENTROPY_NOTES}))


@pytest.fixture(scope="module")
def gallery(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two pictures, and before them a file that is none."""
    folder = tmp_path_factory.mktemp("gallery")
    (folder / "broken.png").write_bytes(b"nothing")
    for name, (height, width) in SIZES.items():
        rng = np.random.default_rng(height)
        waves = 120 + 60 * np.sin(np.arange(width) / 9) + rng.normal(0, 9, (3, height, width))
        pixels = np.moveaxis(waves, 0, -1).clip(0, 255).astype(np.uint8)
        Image.fromarray(pixels).save(folder / f"{name}.png")
    return folder


@pytest.fixture(scope="module")
def logged(
    codec: Codec, gallery: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, Path]:
    """The folders of an evaluation and of the offline run it was logged to."""
    root = tmp_path_factory.mktemp("run")
    path, folder, images = root / "model.safetensors", root / "evaluation", images_in(gallery)
    codec.save(path)
    evaluate_model(EvaluatedModel("tiny", path), images, folder, progress=False)
    try:
        logger = wandb_logger(save_dir=str(root), project="test", mode="offline")
        logger.log_metrics({"train/loss": 0.5}, step=7)
        # Another process's model, in effect: as when all was measured by an earlier one.
        log_evaluation(logger, folder, EvaluatedModel("tiny", path), images)
    finally:
        finish()
    (run,) = (root / "wandb").glob("offline-run-*")
    return folder, run


def measured(folder: Path) -> list[dict[str, str]]:
    """The rows of results.csv that have a file."""
    rows = csv.DictReader((folder / "results.csv").read_text().splitlines())
    return [row for row in rows if row["bytes"]]


def test_curves_are_those_of_the_results(logged: tuple[Path, Path]) -> None:
    folder, run = logged
    found, table = WandbFile(run), measured(folder)
    for metric in METRICS:
        rows = found.rows(f"rd/{metric}")
        assert [row["rd/iteration"] for row in rows] == list(range(1, ITERATIONS + 1))
        assert [row["rd/bpp_nominal"] for row in rows] == [k / 8 for k in range(1, 17)]
        for row in rows:
            same = [r for r in table if int(r["iteration"]) == row["rd/iteration"] and r[metric]]
            assert len(same) == (1 if metric == "ms_ssim" else 2)
            assert row["rd/bpp"] == pytest.approx(fmean(float(r["bpp"]) for r in same))
            assert row[f"rd/{metric}"] == pytest.approx(fmean(float(r[metric]) for r in same))
        rates = [row["rd/bpp"] for row in rows]
        assert rates == sorted(set(rates)), "a line that never goes back"
        assert found.metrics[f"rd/{metric}"].step_metric == "rd/bpp"
    decibels = {row["rd/iteration"]: row["rd/ms_ssim_db"] for row in found.rows("rd/ms_ssim_db")}
    for row in found.rows("rd/ms_ssim"):
        assert 10 ** (-decibels[row["rd/iteration"]] / 10) == pytest.approx(1 - row["rd/ms_ssim"])


def test_summary_has_the_areas_and_nothing_of_the_curves(logged: tuple[Path, Path]) -> None:
    folder, run = logged
    summary = WandbFile(run).summary
    stated = named_areas(json.loads((folder / "summary.json").read_text()))
    for metric in METRICS:
        for key, name in (("", "AUC [0.25, 1.5]"), ("_nominal", "AUC nominal")):
            assert summary[f"auc/{metric}{key}"] == pytest.approx(
                stated[f"{metric} {name}"], rel=1e-12
            )
    assert not [key for key in summary if key.startswith("rd/")]


def test_custom_charts_hold_both_rates(logged: tuple[Path, Path]) -> None:
    _, run = logged
    found = WandbFile(run)
    for metric in (*METRICS, "ms_ssim_db"):
        panel = found.config[f"_wandb.visualize.rd_charts/{metric}"]["panel_config"]
        assert panel["panelDefId"] == "wandb/line/v0"
        assert panel["fieldSettings"] == {"x": "bpp", "y": metric, "stroke": "rate"}
        (query,) = panel["userQuery"]["queryFields"]
        assert {"name": "runSets", "value": "${runSets}"} in query["args"], "all selected runs"
        table = json.loads(
            (run / "files" / found.summary[f"rd_charts/{metric}_table.path"]).read_text()
        )
        assert table["columns"] == ["rate", "iteration", "bpp", metric]
        rows = found.rows(f"rd/{metric}")
        files = [["files", r["rd/iteration"], r["rd/bpp"], r[f"rd/{metric}"]] for r in rows]
        nominal = [["nominal", k, k / 8, value] for _, k, _, value in files]
        assert table["data"] == files + nominal


def test_pictures_are_those_of_the_files_beside_their_scores(
    codec: Codec, gallery: Path, logged: tuple[Path, Path]
) -> None:
    folder, run = logged
    found = WandbFile(run)
    table = json.loads(found.artifacts["evaluation/pictures.table.json"].read_text())
    results = {(row["image"], int(row["iteration"])): row for row in measured(folder)}
    assert [row[0] for row in table["data"]] == ["large", "small"], "not the broken one"
    for row in table["data"]:
        cells = dict(zip(table["columns"], row, strict=True))
        name = cells["image"]
        original = pixels(gallery / f"{name}.png")
        np.testing.assert_array_equal(pixels(found.artifacts[cells["original"]["path"]]), original)
        data = (folder / f"files/tiny/{name}.rnc").read_bytes()
        for k in (1, 2, 4, 8, 16):
            shown = pixels(found.artifacts[cells[f"iteration {k}"]["path"]])
            np.testing.assert_array_equal(shown, codec.decode(data, iterations=k))
            result = results[name, k]
            assert cells[f"bpp {k}"] == float(result["bpp"])
            expected = float(result["ms_ssim"]) if result["ms_ssim"] else None
            assert cells[f"MS-SSIM {k}"] == expected
        assert (cells["MS-SSIM 16"] is None) == (name == "small")
        assert "iteration 3" not in cells


def pixels(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image)


def test_entropy_coding_is_summarised(logged: tuple[Path, Path]) -> None:
    folder, run = logged
    found = WandbFile(run)
    assert found.summary["entropy/bits_per_bit"] == pytest.approx(0.91)
    stated = json.loads((folder / "summary.json").read_text())["entropy"]
    assert found.summary["entropy/gain_over_raw_bits"] == stated["gain_over_raw_bits"]
    path = run / "files" / found.summary["entropy/by_iteration.path"]
    table = json.loads(path.read_text())
    rows = [dict(zip(table["columns"], row, strict=True)) for row in table["data"]]
    assert rows == stated["by_iteration"]


def test_every_file_it_refers_to_is_there(logged: tuple[Path, Path]) -> None:
    _, run = logged
    found = WandbFile(run)
    media = {path for path in found.files if path.startswith("media/")}
    assert len(media) == 6 + 2 + 2, "charts, the tables of entropy and pictures, two sheets"
    assert len(found.artifacts) == 6 + 2 + 2 * 6, "charts, both tables, and the pictures"
    where = [run / "files" / path for path in media] + list(found.artifacts.values())
    assert all(path.stat().st_size > 0 for path in where)
    assert all(path.is_relative_to(run.parent.parent) for path in where), "in the run directory"
    sheets = {"evaluation/rd.path", "evaluation/reconstructions.path"}
    assert {found.summary[sheet] for sheet in sheets} <= media


def curve(*samples: tuple[float, float]) -> RDCurve:
    """An MS-SSIM curve of iterations 1, 2, ..."""
    iterations = tuple(range(1, len(samples) + 1))
    return replace(RDCurve.of(samples, "m", "ms_ssim"), iterations=iterations)


def test_a_curve_that_does_not_cover_the_range_has_no_area() -> None:
    assert areas({"ms_ssim": curve((0.3, 0.8), (1.6, 0.9))}) == {}
    covers = curve((0.25, 0.8), (1.5, 0.9))
    assert areas({"ms_ssim": covers}) == {"auc/ms_ssim": pytest.approx(0.85)}


def test_a_perfect_ms_ssim_has_no_decibels() -> None:
    decibels = with_decibels({"ms_ssim": curve((0.2, 0.9), (0.3, 1.0))})["ms_ssim_db"]
    ((bpp, value),) = decibels.samples
    assert (decibels.iterations, bpp) == ((1,), 0.2)
    assert math.isclose(value, 10)
    assert with_decibels({"ms_ssim": curve((0.2, 1.0))}) == {}
