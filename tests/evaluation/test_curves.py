import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rnncodec.evaluation.curves import FILES, NOMINAL, RDCurve, first_of
from rnncodec.evaluation.evaluate import write_json
from rnncodec.evaluation.rd_points import mean_curve
from rnncodec.evaluation.results import Result
from rnncodec.evaluation.summary import named_areas, read_summary, summarize, summary_json

# MS-SSIM of Toderici et al. 2017 on Kodak, as published, at k/8 bpp.
PUBLISHED = [
    *(0.8191, 0.9037, 0.93747, 0.95384, 0.96357, 0.97151, 0.97578, 0.97959),
    *(0.98219, 0.98394, 0.98584, 0.98683, 0.98782, 0.98834, 0.98849, 0.98872),
]


def point(image: str, iteration: int, bpp: float, psnr: float, ms: float | None = None) -> Result:
    values = {"psnr_rgb": psnr, "ssim": 0.5, "psnr_hvs": psnr + 1, "psnr_hvs_m": psnr + 2}
    values |= {} if ms is None else {"ms_ssim": ms}
    return Result("m", f"t={iteration}", image, iteration, 100, bpp, values)


def failed(image: str) -> Result:
    return Result("m", "", image, None, None, None, {}, reason="cannot read")


def auc(samples: Sequence[tuple[float, float]], low: float, high: float) -> float | None:
    return first_of(RDCurve.of(samples).area(low, high))


def auc_nominal(iterations: Sequence[int], quality: Sequence[float]) -> float | None:
    bpp = np.array([[0.01 * k for k in iterations]])
    curve = RDCurve("m", "ms_ssim", bpp, np.array([quality]), iterations=tuple(iterations))
    return first_of(curve.nominal_area())


def averages(points: list[Result], metric: str) -> tuple[Any, ...]:
    """How many images a curve is over and how many lack the metric; iterations, rates, values."""
    curve = mean_curve(points, metric)
    assert curve is not None
    absent = {point.image for point in points} - {*curve.images}
    bpp, value = zip(*curve.samples, strict=True)
    return len(curve.images), len(absent), list(curve.iterations), list(bpp), list(value)


def test_auc_reproduces_the_mean_of_a_published_curve() -> None:
    samples = [(k / 8, value) for k, value in enumerate(PUBLISHED, start=1)]
    assert auc(samples, 0.25, 1.5) == pytest.approx(0.9679, abs=5e-5)


def test_auc_is_the_integral_of_the_interpolated_curve() -> None:
    bpp = [0.11, 0.3, 0.45, 1.0, 1.45, 1.9]
    value = [20.0, 24.0, 26.5, 30.0, 31.0, 35.0]
    grid = np.union1d(np.linspace(0.25, 1.5, 101), [x for x in bpp if 0.25 < x < 1.5])
    expected = np.trapezoid(np.interp(grid, bpp, value), grid) / 1.25
    assert auc(list(zip(bpp, value, strict=True)), 0.25, 1.5) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(
    "samples", [[], [(0.5, 1.0)], [(0.26, 1.0), (2.0, 1.0)], [(0.1, 1.0), (1.49, 1.0)]]
)
def test_a_curve_that_does_not_cover_the_range_has_no_auc(
    samples: list[tuple[float, float]],
) -> None:
    assert auc(samples, 0.25, 1.5) is None


def test_a_curve_that_just_covers_the_range_has_one() -> None:
    assert auc([(0.25, 0.9), (1.5, 1.0)], 0.25, 1.5) == pytest.approx(0.95)


def test_auc_nominal_is_the_area_at_k_eighths_whatever_the_files_weighed() -> None:
    found = auc_nominal(range(1, 17), PUBLISHED)
    assert found == pytest.approx(np.trapezoid(PUBLISHED, dx=0.125), rel=1e-12)
    assert found == pytest.approx(1.8116, abs=5e-5)


def test_auc_nominal_needs_all_sixteen_iterations() -> None:
    assert auc_nominal(range(1, 16), PUBLISHED[:15]) is None


def test_the_mean_curve_averages_rate_and_quality_at_equal_iteration() -> None:
    points = [
        *(point("a", 1, 0.1, 20.0), point("a", 2, 0.2, 24.0)),
        *(point("b", 1, 0.3, 30.0), point("b", 2, 0.5, 32.0)),
    ]
    *counts, bpp, value = averages(points, "psnr_rgb")
    assert counts == [2, 0, [1, 2]]
    assert bpp == pytest.approx([0.2, 0.35])
    assert value == pytest.approx([25.0, 28.0])


def test_an_image_without_a_metric_is_absent_from_its_averages_and_counted() -> None:
    points = [point("a", 1, 0.1, 20.0, ms=0.8), point("small", 1, 0.9, 40.0)]
    assert averages(points, "ms_ssim") == (1, 1, [1], [0.1], [0.8])
    assert averages(points, "psnr_rgb") == (2, 0, [1], [0.5], [30.0])
    assert mean_curve(points[1:], "ms_ssim") is None


def test_an_iteration_that_only_some_images_reached_is_left_out() -> None:
    points = [point("a", 1, 0.1, 20.0), point("b", 1, 0.1, 20.0), point("a", 2, 0.2, 24.0)]
    assert averages(points, "psnr_rgb") == (2, 0, [1], [0.1], [20.0])


def test_an_infinite_average_is_left_out() -> None:
    points = [point("a", 1, 0.1, 20.0), point("a", 2, 0.2, math.inf)]
    assert averages(points, "psnr_rgb") == (1, 0, [1], [0.1], [20.0])


def summary_of(points: list[Result]) -> dict[str, Any]:
    """As summary.json has it: every test below reads what is in the file."""
    return summary_json(summarize(points))


def row(summary: dict[str, Any], place: int) -> dict[str, float]:
    """The averages at one point of the curves of files."""
    curves = summary["codecs"][0]["curves"]
    assert len({curve[place][0] for curve in curves.values()}) == 1, "one rate for all metrics"
    return {metric: curve[place][1] for metric, curve in curves.items()}


def test_the_summary_has_absent_keys_where_a_curve_does_not_reach() -> None:
    points = [point("a", 1, 0.2, 20.0), point("a", 2, 1.6, 30.0)]
    summary = summary_of(points)
    assert "ms_ssim" not in summary["images"]
    assert summary["codecs"][0]["curves"]["psnr_rgb"][0] == [0.2, 20.0]
    assert row(summary, 0) == {
        **{"psnr_rgb": 20.0, "ssim": 0.5, "psnr_hvs": 21.0, "psnr_hvs_m": 22.0},
    }
    names = [f"{metric} AUC [0.25, 1.5]" for metric in ("psnr_rgb", "ssim", "psnr_hvs")]
    areas = named_areas(summary)
    assert list(areas) == [*names, "psnr_hvs_m AUC [0.25, 1.5]"]
    assert areas["psnr_rgb AUC [0.25, 1.5]"] == pytest.approx(
        20 + 10 * (0.875 - 0.2) / 1.4  # a straight line's mean is its value in the middle
    )
    assert named_areas(summary_of(points[:1])) == {}


def test_the_summary_counts_images_by_metric() -> None:
    points = [point("a", 1, 0.1, 20.0, ms=0.8), point("small", 1, 0.9, 40.0)]
    summary = summary_of(points)
    assert (summary["image_count"]["psnr_rgb"], summary["image_count"]["ms_ssim"]) == (2, 1)
    curves = summary["codecs"][0]["curves"]
    assert (curves["psnr_rgb"], curves["ms_ssim"]) == ([[0.5, 30.0]], [[0.1, 0.8]])


def test_the_summary_states_both_conventions() -> None:
    points = [point("a", k, k / 8, 30.0, ms=v) for k, v in enumerate(PUBLISHED, start=1)]
    summary = summary_of(points)
    assert set(summary["image_count"].values()) == {1}
    files, nominal = summary["codecs"]
    assert (files["rates"], nominal["rates"]) == (FILES, NOMINAL)
    assert len(files["curves"]["ms_ssim"]) == 16
    areas = named_areas(summary)
    assert areas["ms_ssim AUC nominal"] == pytest.approx(1.8116, abs=5e-5)
    assert areas["ms_ssim AUC [0.25, 1.5]"] == pytest.approx(0.9679, abs=5e-5)
    rules = summary["rules"]
    assert "[0.25, 1.5] bpp" in rules["auc"]
    assert "0.125-2.0 bpp at iteration / 8 bpp" in rules["auc_nominal"]


def test_an_image_that_failed_enters_no_average_and_is_counted() -> None:
    points = [point("a", 1, 0.1, 20.0, ms=0.8), failed("broken")]
    assert averages(points, "ms_ssim") == (1, 1, [1], [0.1], [0.8])
    summary = summary_of(points)
    assert summary["image_count"]["psnr_rgb"] == 1
    assert [(f["image"], f["rows"]) for f in summary["failures"]] == [("broken", 1)]
    assert summary["codecs"][0]["curves"]["psnr_rgb"] == [[0.1, 20.0]]
    assert mean_curve([failed("broken")], "psnr_rgb") is None


def test_the_summary_is_plain_json(tmp_path: Path) -> None:
    summary = summary_of([point("a", 1, 0.2, 20.0), point("a", 2, 1.6, math.inf)])
    write_json(tmp_path / "summary.json", summary)
    assert json.loads((tmp_path / "summary.json").read_text()) == summary
    assert read_summary(tmp_path / "summary.json") == summary
