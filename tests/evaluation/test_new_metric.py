"""A metric is one function and one registry entry: it appears wherever metrics do."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from tests.comparison.sweep import make_run
from tests.evaluation.stand_in import Brighter
from tests.evaluation.synthetic import changed, codec

from rnncodec.comparison.compare import compare
from rnncodec.comparison.runs import find_runs
from rnncodec.comparison.tables import comparison_tables
from rnncodec.evaluation import evaluate_image
from rnncodec.evaluation.codecs import images_in
from rnncodec.evaluation.evaluate_image import EvaluationSpec
from rnncodec.evaluation.metrics import METRICS, Metric, tabled, with_decibel_of
from rnncodec.evaluation.report.curves import plot_data
from rnncodec.evaluation.report.page import summary_html
from rnncodec.evaluation.results import Result, read_results, write_results
from rnncodec.evaluation.runner import run
from rnncodec.evaluation.summary import summarize, summary_json
from rnncodec.evaluation.tables import summary_tables


def closeness(reference: torch.Tensor, test: torch.Tensor) -> torch.Tensor:
    return 1 - (reference.double() - test.double()).abs().mean(dim=(1, 2, 3)) / 255


@pytest.fixture(autouse=True)
def entry(monkeypatch: pytest.MonkeyPatch) -> None:
    metric = Metric("Closeness", closeness, "%", 3, levels=(0.5,))
    monkeypatch.setitem(METRICS, "closeness", metric)


def rated(results: list[Result]) -> list[Result]:
    """Results that have the new metric, too."""
    return [changed(row, closeness=row.values["ms_ssim"]) for row in results]


def test_it_is_measured_and_has_a_column(
    gallery: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = EvaluationSpec([Brighter()], images_in(gallery(a=(24, 24))), tmp_path / "out")
    results = run(study, progress=False).results
    write_results(tmp_path / "results.csv", results)
    assert "closeness" in read_results(tmp_path / "results.csv")[0].values
    before = evaluate_image.cache_key("image", Brighter(), [])
    monkeypatch.delitem(METRICS, "closeness")
    assert evaluate_image.cache_key("image", Brighter(), []) != before


def test_it_is_in_the_summary_the_tables_and_the_plots() -> None:
    results = rated(codec("ours", [0.2, 0.5, 1.0, 1.8], ours=True))
    curves = summary_json(summarize(results))["codecs"][0]["curves"]
    assert curves["closeness"][0][1] == pytest.approx(results[0].values["ms_ssim"], abs=0.1)
    found = summarize([*results, *rated(codec("webp", [0.2, 0.6, 1.7]))], "webp")
    areas, deltas, rates = summary_tables(found)
    assert "Closeness AUC" in areas.columns
    assert {"AUC minus anchor, Closeness", "BD-rate, Closeness (%)"} <= {*deltas.columns}
    assert "Closeness 0.5" in rates.columns
    assert with_decibel_of(tabled())[-1] == "closeness"
    assert tabled([])[-1] == "psnr_hvs"  # of results that do not have it


def test_it_is_on_the_page() -> None:
    results = rated(codec("ours", [0.2, 0.5, 1.0, 1.8], ours=True))
    assert plot_data(results, summarize(results))["metrics"][-1]["title"] == "Closeness (%)"
    page = summary_html(summarize(results))
    assert "Closeness\nAUC (%)" in page
    assert "Closeness\n0.5" in page


def test_it_is_on_the_dashboard() -> None:
    dashboard = pytest.importorskip("rnncodec.training.wandb_dashboard")
    panels = dashboard.rd_panels("rd/bpp", "bpp")
    assert panels[-1].title == "Closeness (%) by bpp"
    assert len(dashboard.chart_panels()) == len(panels)


def test_it_is_in_the_comparison_of_runs(tmp_path: Path) -> None:
    results = rated(codec("ours", [0.2, 0.5, 1.0, 1.8], ours=True))
    make_run(tmp_path / "a", results=results)
    table = comparison_tables(compare(*find_runs([tmp_path])))[0]
    assert "Closeness AUC [0.25, 1.5]" in table.columns
