import json
import math
from pathlib import Path

import numpy as np
import pytest

from rnncodec.evaluation.curves import (
    MeanCurve,
    auc,
    auc_nominal,
    mean_curve,
    summarize,
    write_summary,
)
from rnncodec.evaluation.results import Result

# MS-SSIM of Toderici et al. 2017 on Kodak, as published, at k/8 bpp.
PUBLISHED = [
    *(0.8191, 0.9037, 0.93747, 0.95384, 0.96357, 0.97151, 0.97578, 0.97959),
    *(0.98219, 0.98394, 0.98584, 0.98683, 0.98782, 0.98834, 0.98849, 0.98872),
]


def point(image: str, iteration: int, bpp: float, psnr: float, ms: float | None = None) -> Result:
    figures = (bpp, psnr, 0.5, ms, psnr + 1, psnr + 2)
    return Result("m", f"t={iteration}", image, iteration, 100, *figures, None, None)


def failed(image: str) -> Result:
    return Result("m", "", image, *[None] * 10, reason="cannot read")


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
    curve = MeanCurve(24, 0, list(range(1, 17)), [0.01 * k for k in range(1, 17)], PUBLISHED)
    expected = np.trapezoid(PUBLISHED, dx=0.125)
    assert auc_nominal(curve) == pytest.approx(expected, rel=1e-12)
    assert auc_nominal(curve) == pytest.approx(1.8116, abs=5e-5)


def test_auc_nominal_needs_all_sixteen_iterations() -> None:
    short = list(range(1, 16))
    assert auc_nominal(MeanCurve(1, 0, short, [k / 8 for k in short], PUBLISHED[:15])) is None


def test_the_mean_curve_averages_rate_and_quality_at_equal_iteration() -> None:
    points = [
        *(point("a", 1, 0.1, 20.0), point("a", 2, 0.2, 24.0)),
        *(point("b", 1, 0.3, 30.0), point("b", 2, 0.5, 32.0)),
    ]
    curve = mean_curve(points, "psnr_rgb")
    assert curve is not None
    assert (curve.images, curve.absent, curve.iteration) == (2, 0, [1, 2])
    assert curve.bpp == pytest.approx([0.2, 0.35])
    assert curve.value == pytest.approx([25.0, 28.0])


def test_an_image_without_a_metric_is_absent_from_its_averages_and_counted() -> None:
    points = [point("a", 1, 0.1, 20.0, ms=0.8), point("small", 1, 0.9, 40.0)]
    assert mean_curve(points, "ms_ssim") == MeanCurve(1, 1, [1], [0.1], [0.8])
    assert mean_curve(points, "psnr_rgb") == MeanCurve(2, 0, [1], [0.5], [30.0])
    assert mean_curve(points[1:], "ms_ssim") is None


def test_an_iteration_that_only_some_images_reached_is_left_out() -> None:
    points = [point("a", 1, 0.1, 20.0), point("b", 1, 0.1, 20.0), point("a", 2, 0.2, 24.0)]
    assert mean_curve(points, "psnr_rgb") == MeanCurve(2, 0, [1], [0.1], [20.0])


def test_an_infinite_average_is_left_out() -> None:
    points = [point("a", 1, 0.1, 20.0), point("a", 2, 0.2, math.inf)]
    assert mean_curve(points, "psnr_rgb") == MeanCurve(1, 0, [1], [0.1], [20.0])


def test_the_summary_has_absent_keys_where_a_curve_does_not_reach() -> None:
    points = [point("a", 1, 0.2, 20.0), point("a", 2, 1.6, 30.0)]
    summary = summarize(points)
    assert summary["absent"] == {"ms_ssim": 1}
    assert summary["curve"][0] == {
        **{"iteration": 1, "images": 1, "bpp": 0.2, "psnr_rgb": 20.0, "ssim": 0.5},
        **{"psnr_hvs": 21.0, "psnr_hvs_m": 22.0},
    }
    names = [f"{metric} AUC [0.25, 1.5]" for metric in ("psnr_rgb", "ssim", "psnr_hvs")]
    assert list(summary["auc"]) == [*names, "psnr_hvs_m AUC [0.25, 1.5]"]
    assert summary["auc"]["psnr_rgb AUC [0.25, 1.5]"]["value"] == pytest.approx(
        20 + 10 * (0.875 - 0.2) / 1.4  # a straight line's mean is its value in the middle
    )
    assert summarize(points[:1])["auc"] == {}


def test_the_summary_counts_images_by_metric() -> None:
    points = [point("a", 1, 0.1, 20.0, ms=0.8), point("small", 1, 0.9, 40.0)]
    summary = summarize(points)
    assert (summary["images"], summary["absent"]) == (2, {"ms_ssim": 1})
    (row,) = summary["curve"]
    assert (row["images"], row["bpp"], row["psnr_rgb"], row["ms_ssim"]) == (2, 0.5, 30.0, 0.8)


def test_the_summary_states_both_conventions() -> None:
    points = [point("a", k, k / 8, 30.0, ms=v) for k, v in enumerate(PUBLISHED, start=1)]
    summary = summarize(points)
    assert (summary["images"], summary["iterations"], summary["absent"]) == (1, 16, {})
    nominal, ranged = (summary["auc"][f"ms_ssim AUC {n}"] for n in ("nominal", "[0.25, 1.5]"))
    assert (nominal["bpp"], ranged["bpp"]) == ([0.125, 2.0], [0.25, 1.5])
    assert nominal["value"] == pytest.approx(1.8116, abs=5e-5)
    assert ranged["value"] == pytest.approx(0.9679, abs=5e-5)
    keys = {"value", "metric", "images", "bpp", "rule", "rates"}
    assert all(set(entry) == keys for entry in summary["auc"].values())


def test_an_image_that_failed_enters_no_average_and_is_counted() -> None:
    points = [point("a", 1, 0.1, 20.0, ms=0.8), failed("broken")]
    assert mean_curve(points, "ms_ssim") == MeanCurve(1, 1, [1], [0.1], [0.8])
    summary = summarize(points)
    assert (summary["images"], summary["absent"]["psnr_rgb"]) == (2, 1)
    (row,) = summary["curve"]
    assert (row["images"], row["bpp"], row["psnr_rgb"]) == (1, 0.1, 20.0)
    assert mean_curve([failed("broken")], "psnr_rgb") is None


def test_the_summary_is_plain_json(tmp_path: Path) -> None:
    summary = summarize([point("a", 1, 0.2, 20.0), point("a", 2, 1.6, math.inf)])
    write_summary(tmp_path / "summary.json", summary)
    assert json.loads((tmp_path / "summary.json").read_text()) == summary
