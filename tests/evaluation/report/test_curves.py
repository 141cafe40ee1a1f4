import json
import math

import pytest

from rnncodec.evaluation import plots
from rnncodec.evaluation.report import curves
from rnncodec.evaluation.results import Result


def point(
    codec: str, image: str, setting: str, bpp: float | None, quality: float | None
) -> Result:
    iteration = int(setting[2:]) if setting.startswith("t=") else None
    size = None if bpp is None else int(1000 * bpp)
    metrics = {"psnr_rgb": quality, "ssim": None, "ms_ssim": None}
    return Result(
        codec, setting, image, iteration, size, bpp, **metrics,
        psnr_hvs=None, psnr_hvs_m=None, encode_s=None, decode_s=None,
    )  # fmt: skip


OURS = [
    point("m", "a", "t=1", 0.1, 20.0),
    point("m", "a", "t=2", 0.2, 24.0),
    point("m", "b", "t=1", 0.3, 30.0),
    point("m", "b", "t=2", 0.4, 32.0),
]


def test_rate_and_quality_are_averaged_at_equal_setting():
    mean = curves.mean_samples(OURS, "psnr_rgb")
    assert [bpp for bpp, _, _ in mean] == pytest.approx([0.2, 0.3])
    assert [value for _, value, _ in mean] == pytest.approx([25.0, 28.0])
    assert [label for _, _, label in mean] == ["iteration 1", "iteration 2"]


def test_a_setting_that_an_image_lacks_is_left_out():
    mean = curves.mean_samples(OURS[:3], "psnr_rgb")
    assert [label for _, _, label in mean] == ["iteration 1"]


def test_an_image_without_the_metric_leaves_both_averages():
    mean = curves.mean_samples([*OURS, point("m", "c", "t=1", 9.0, None)], "psnr_rgb")
    assert mean[0][0] == pytest.approx(0.2)


def test_a_perfect_picture_has_no_point():
    perfect = [*OURS[:3], point("m", "b", "t=2", 0.4, math.inf)]
    assert len(curves.mean_samples(perfect, "psnr_rgb")) == 1
    assert len(curves.samples(perfect[2:], "psnr_rgb")) == 1


def test_our_models_come_first_and_twice_and_published_ones_are_kept_apart():
    jpeg = [point("jpeg", name, "q=9", 0.5, 29.0) for name in "ab"]
    published = {"jpeg": {"ms_ssim": [(0.5, 0.9)]}, "other": {"psnr_rgb": [(0.5, 30.0)]}}
    lines = curves.all_series([*jpeg, *OURS], published, ["psnr_rgb"])
    assert [(line.name, line.kind, line.shown) for line in lines] == [
        ("m", "ours", True),
        ("m, nominal rate", "nominal", True),
        ("jpeg", "baseline", True),
        ("jpeg (published)", "published", True),
        ("other (published)", "published", False),
    ]
    assert [bool(line.dash) for line in lines] == [False, True, False, True, True]
    assert [bpp for bpp, *_ in lines[1].mean["psnr_rgb"]] == [1 / 8, 2 / 8]
    assert lines[0].colour == lines[1].colour != lines[2].colour
    assert lines[3].mean["ms_ssim_db"] == [(0.5, pytest.approx(10.0), "")]


def test_the_data_of_the_plot_is_plain():
    data = curves.plot_data([*OURS, point("m", "broken", "", None, None)], {})
    assert json.loads(json.dumps(data, allow_nan=False))["images"] == ["a", "b"]
    assert data["metrics"][0]["title"] == "PSNR RGB (dB)"
    assert plots.COLOURS[data["series"][0]["colour"]] == plots.COLOURS[0]
