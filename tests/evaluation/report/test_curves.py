import json
import math

import pytest

from rnncodec.evaluation.curves import RDCurve
from rnncodec.evaluation.report import curves
from rnncodec.evaluation.results import Result
from rnncodec.evaluation.summary import summarize


def point(
    codec: str, image: str, setting: str, bpp: float | None, quality: float | None
) -> Result:
    iteration = int(setting[2:]) if setting.startswith("t=") else None
    size = None if bpp is None else int(1000 * bpp)
    values = {} if quality is None else {"psnr_rgb": quality}
    return Result(codec, setting, image, iteration, size, bpp, values)


OURS = [
    point("m", "a", "t=1", 0.1, 20.0),
    point("m", "a", "t=2", 0.2, 24.0),
    point("m", "b", "t=1", 0.3, 30.0),
    point("m", "b", "t=2", 0.4, 32.0),
]


def drawn(results: list[Result]) -> dict[str, list[curves.Sample]]:
    return {
        line["name"]: line["mean"]["psnr_rgb"]
        for line in curves.all_series(results, summarize(results))
    }


def test_rate_and_quality_are_averaged_at_equal_iteration():
    mean = drawn(OURS)["m"]
    assert [bpp for bpp, _, _ in mean] == pytest.approx([0.2, 0.3])
    assert [quality for _, quality, _ in mean] == pytest.approx([25.0, 28.0])
    assert [label for _, _, label in mean] == ["iteration 1", "iteration 2"]


def test_one_image_has_its_own_curve_without_its_perfect_pictures():
    rows = [*OURS[:2], point("m", "a", "t=3", 0.4, math.inf)]
    assert curves.samples(rows, "psnr_rgb") == [
        (0.1, 20.0, "iteration 1"),
        (0.2, 24.0, "iteration 2"),
    ]
    assert [bpp for bpp, *_ in curves.samples(rows, "psnr_rgb", at_nominal=True)] == [1 / 8, 2 / 8]


def test_codecs_keep_the_table_s_order_models_come_twice_and_published_ones_are_kept_apart():
    jpeg = [point("jpeg", name, "q=9", 0.5, 29.0) for name in "ab"]
    published = [
        RDCurve.of([(0.5, 0.9)], "jpeg", "ms_ssim"),
        RDCurve.of([(0.5, 30.0)], "other", "psnr_rgb"),
    ]
    rows = [*OURS, *jpeg]
    lines = curves.all_series(rows, summarize(rows), published)
    assert [(line["name"], line["label"], line["kind"], line["shown"]) for line in lines] == [
        ("m", "m", "ours", True),
        ("m, nominal rate", "m", "nominal", True),
        ("jpeg", "jpeg", "baseline", True),
        ("jpeg (published)", "jpeg", "published", True),
        ("other (published)", "other", "published", False),
    ]
    assert [bool(line["dash"]) for line in lines] == [False, True, False, True, True]
    assert [bool(line["marker"]) for line in lines] == [True, True, True, False, False]
    assert [line["colour"] for line in lines] == [0, 0, 1, None, None]
    assert [bpp for bpp, *_ in lines[1]["mean"]["psnr_rgb"]] == [1 / 8, 2 / 8]
    assert lines[3]["mean"]["ms_ssim_db"] == [(0.5, pytest.approx(10.0), "")]


def test_the_data_of_the_plot_is_plain():
    rows = [*OURS, point("m", "broken", "", None, None)]
    data = curves.plot_data(rows, summarize(rows))
    assert json.loads(json.dumps(data, allow_nan=False))["images"] == ["a", "b"]
    assert data["metrics"][0]["title"] == "PSNR RGB (dB)"
