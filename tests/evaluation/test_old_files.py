"""Files that earlier versions wrote are read."""

import json
from pathlib import Path

import numpy as np
import pytest

from rnncodec.comparison.runs import entropy_gain
from rnncodec.evaluation.evaluate_image import read_entry
from rnncodec.evaluation.results import read_results, write_results
from rnncodec.evaluation.summary import named_areas, read_summary, summarize

OLD = Path(__file__).parent / "old"


def test_the_table_of_results(tmp_path: Path) -> None:
    rows = read_results(OLD / "results.csv")
    assert (rows[0].codec, rows[0].setting, rows[0].bytes) == ("ours", "t=1", 125000)
    assert rows[0].values["psnr_rgb"] == 30.3594
    assert (rows[0].values["vif"], rows[0].encode_s) == (0.5, 0.1)
    assert "ssim" not in rows[0].values
    assert (rows[-1].reason, rows[-1].bpp) == ("cannot read image broken.png", None)
    write_results(tmp_path / "results.csv", rows)
    assert (tmp_path / "results.csv").read_bytes() == (OLD / "results.csv").read_bytes()


def test_an_entry_of_the_cache() -> None:
    entry = read_entry(OLD / "entry.json", codec="renamed", image="image0")
    assert entry is not None
    assert (entry.peak_memory, entry.results[1].values["vif"]) == (12345, 0.5)
    assert [row.codec for row in entry.results] == ["renamed"] * 2


def test_the_summary_of_a_run() -> None:
    """It was of another schema: its areas and curves are those of its table."""
    old, found = json.loads((OLD / "summary.json").read_text()), read_summary(OLD / "summary.json")
    areas = named_areas(found)
    assert areas == {name: area["value"] for name, area in old["auc"].items()}
    summary = summarize(read_results(OLD / "results.csv"))
    (codec,) = found["codecs"]
    for metric in ("psnr_rgb", "ms_ssim"):
        expected = summary.of("ours").curves[metric].samples
        np.testing.assert_allclose(codec["curves"][metric], expected)
    assert found["image_count"]["psnr_rgb"] == 2
    assert found["failures"][0]["image"] == "broken"
    assert found["model"]["cell"] == "gru"
    assert entropy_gain(OLD / "summary.json") == pytest.approx(0.1)


def test_the_figures_of_an_evaluation() -> None:
    found = read_summary(OLD / "results.json")
    assert found == json.loads((OLD / "results.json").read_text())
    assert found["anchor"] == "webp"
    assert "psnr_rgb AUC [0.25, 1.5]" in named_areas(found)
