"""What a W&B dashboard gets to see, read back from the run's own file."""

import csv
import json
import math
from collections.abc import Iterator
from pathlib import Path
from statistics import fmean

import numpy as np
import pytest
from PIL import Image
from tests.training.wandb_file import WandbFile

from rnncodec.evaluation.evaluate import Pixels, evaluate
from rnncodec.evaluation.rate_distortion import MeanCurve
from rnncodec.training.wandb_evaluation import areas, log_evaluation, with_decibels
from rnncodec.training.wandb_logger import finish, wandb_logger

ITERATIONS = 16
METRICS = ("psnr_rgb", "ssim", "ms_ssim", "psnr_hvs", "psnr_hvs_m")


def picture(height: int, width: int) -> Pixels:
    noise = np.random.default_rng(height).integers(40, 200, (height, width, 3))
    return noise.astype(np.uint8)


IMAGES = [("large", picture(176, 180)), ("small", picture(48, 64))]

ENTROPY = {"model": "progressive", "bits_per_bit": 0.9, "by_iteration": [{"iteration": 1, "b": 2}]}


def toy_codec(image: Pixels) -> Iterator[tuple[float, Pixels]]:
    """Sixteen iterations; the error shrinks, and small images cost more bits."""
    pattern = np.indices(image.shape).sum(axis=0) % 2
    for k in range(1, ITERATIONS + 1):
        yield k / 9 + 1 / len(image), (image + pattern * (20 - k)).astype(np.uint8)


@pytest.fixture(scope="module")
def logged(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The folders of an evaluation and of the offline run it was logged to."""
    root = tmp_path_factory.mktemp("run")
    folder = root / "evaluation"
    evaluate(toy_codec, IMAGES, folder, progress=False, more=lambda: {"entropy": ENTROPY})
    try:
        logger = wandb_logger(save_dir=str(root), project="test", mode="offline")
        logger.log_metrics({"train/loss": 0.5}, step=7)
        log_evaluation(logger, folder, toy_codec, IMAGES)
    finally:
        finish()
    (run,) = (root / "wandb").glob("offline-run-*")
    return folder, run


def measured(folder: Path) -> list[dict[str, str]]:
    return list(csv.DictReader((folder / "rd.csv").read_text().splitlines()))


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
    stated = json.loads((folder / "summary.json").read_text())["auc"]
    for metric in METRICS:
        assert summary[f"auc/{metric}"] == stated[f"{metric} AUC [0.25, 1.5]"]["value"]
        assert summary[f"auc/{metric}_nominal"] == stated[f"{metric} AUC nominal"]["value"]
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


def test_pictures_stand_beside_their_scores(logged: tuple[Path, Path]) -> None:
    folder, run = logged
    found = WandbFile(run)
    table = json.loads(found.artifacts["evaluation/pictures.table.json"].read_text())
    results = {(row["image"], int(row["iteration"])): row for row in measured(folder)}
    assert [row[0] for row in table["data"]] == ["large", "small"]
    for (name, image), row in zip(IMAGES, table["data"], strict=True):
        cells = dict(zip(table["columns"], row, strict=True))
        with Image.open(found.artifacts[cells["original"]["path"]]) as original:
            np.testing.assert_array_equal(np.asarray(original), image)
        pictures = [pixels for _, pixels in toy_codec(image)]
        for k in (1, 2, 4, 8, 16):
            with Image.open(found.artifacts[cells[f"iteration {k}"]["path"]]) as shown:
                np.testing.assert_array_equal(np.asarray(shown), pictures[k - 1])
            result = results[name, k]
            assert cells[f"bpp {k}"] == float(result["bpp"])
            expected = float(result["ms_ssim"]) if result["ms_ssim"] else None
            assert cells[f"MS-SSIM {k}"] == expected, "none for the small image"
        assert "iteration 3" not in cells


def test_entropy_coding_is_summarised(logged: tuple[Path, Path]) -> None:
    _, run = logged
    found = WandbFile(run)
    assert found.summary["entropy/bits_per_bit"] == 0.9
    path = run / "files" / found.summary["entropy/by_iteration.path"]
    assert json.loads(path.read_text()) == {"columns": ["iteration", "b"], "data": [[1, 2]]}


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


def test_a_curve_that_does_not_cover_the_range_has_no_area() -> None:
    short = MeanCurve(1, 0, [1, 2], [0.3, 1.6], [0.8, 0.9])
    assert areas({"ms_ssim": short}) == {}
    covers = MeanCurve(1, 0, [1, 2], [0.25, 1.5], [0.8, 0.9])
    assert areas({"ms_ssim": covers}) == {"auc/ms_ssim": pytest.approx(0.85)}


def test_a_perfect_ms_ssim_has_no_decibels() -> None:
    curve = MeanCurve(1, 0, [1, 2], [0.2, 0.3], [0.9, 1.0])
    decibels = with_decibels({"ms_ssim": curve})["ms_ssim_db"]
    assert (decibels.iteration, decibels.bpp) == ([1], [0.2])
    assert math.isclose(decibels.value[0], 10)
    assert with_decibels({"ms_ssim": MeanCurve(1, 0, [1], [0.2], [1.0])}) == {}
