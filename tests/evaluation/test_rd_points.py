import math
from dataclasses import replace
from statistics import fmean

import numpy as np
import pytest
from tests.evaluation.synthetic import changed, codec, failed

from rnncodec.errors import DataError
from rnncodec.evaluation.curves import NOMINAL
from rnncodec.evaluation.metrics import DECIBEL
from rnncodec.evaluation.rd_points import Failure, failures, metrics_of, rd_points

RATES = [0.2, 0.5, 1.0, 1.8]


def test_the_averages_are_over_images() -> None:
    rows = codec("a", RATES, ours=True)
    (found,) = rd_points(rows, "psnr_hvs")
    groups = [[row for row in rows if row.iteration == k] for k in (1, 2, 3, 4)]
    expected = [
        [fmean(row.bpp for row in g), fmean(row.values["psnr_hvs"] for row in g)] for g in groups
    ]
    np.testing.assert_allclose(found.curve().samples, expected, rtol=1e-12)
    assert (found.iterations, found.settings) == ((1, 2, 3, 4), ("t=1", "t=2", "t=3", "t=4"))


def test_decibels_are_taken_of_the_average() -> None:
    rows = codec("a", RATES)
    (plain,), (decibel,) = rd_points(rows, "ms_ssim"), rd_points(rows, DECIBEL)
    expected = [-10 * math.log10(1 - value) for _, value in plain.curve().samples]
    assert [value for _, value in decibel.curve().samples] == pytest.approx(expected)


def test_all_codecs_are_averaged_over_the_images_that_all_have() -> None:
    rows = [*codec("a", RATES), *codec("b", RATES, images=5), failed("c", "image0", "broken")]
    found = rd_points(rows, "ms_ssim")
    assert [each.codec for each in found] == ["a", "b"]
    assert {each.images for each in found} == {tuple(f"image{k}" for k in range(5))}
    np.testing.assert_array_equal(found[0].bpp, found[1].bpp)


def test_a_setting_that_an_image_lacks_is_left_out() -> None:
    rows = codec("a", RATES)[:-1]
    (found,) = rd_points(rows, "ms_ssim")
    assert found.settings == ("q=1", "q=2", "q=3")


def test_a_setting_with_a_perfect_image_is_left_out() -> None:
    rows = codec("a", RATES)
    rows[-1] = changed(rows[-1], psnr_hvs=math.inf, ms_ssim=1.0)
    lengths = {m: len(rd_points(rows, m)[0].settings) for m in ("psnr_hvs", "ms_ssim", DECIBEL)}
    assert lengths == {"psnr_hvs": 3, "ms_ssim": 4, DECIBEL: 3}


def test_settings_stand_by_rising_rate() -> None:
    (found,) = rd_points(codec("a", RATES[::-1]), "psnr_hvs")
    assert found.settings == ("q=4", "q=3", "q=2", "q=1")
    assert found.iterations is None


def test_nominal_rates_are_eighths() -> None:
    (found,) = rd_points(codec("a", RATES, ours=True), "psnr_hvs")
    assert [bpp for bpp, _ in found.at_nominal_rates().curve().samples] == pytest.approx(
        [0.125, 0.25, 0.375, 0.5]
    )
    assert found.at_nominal_rates().rates == NOMINAL


def test_failures_are_counted_by_codec_image_and_reason() -> None:
    small = changed(codec("a", RATES)[0], ms_ssim=None, reason="too small for MS-SSIM")
    silent = failed("b", "x", "")
    rows = [*codec("c", RATES), small, silent, silent]
    assert failures(rows) == [
        Failure("a", "image0", 1, "too small for MS-SSIM"),
        Failure("b", "x", 2, "no reason given"),
    ]


def test_metrics_are_those_that_some_row_has() -> None:
    rows = codec("a", RATES)
    rows[0] = changed(rows[0], vif=0.5, none=None)
    assert metrics_of(rows) == [
        *("psnr_rgb", "ms_ssim", "ms_ssim_db", "psnr_hvs", "psnr_hvs_m", "vif")
    ]
    assert rd_points([], "ssim") == []


def test_contradictions_are_refused() -> None:
    rows = codec("a", RATES)
    with pytest.raises(DataError, match="two rows for a, q=1, image0"):
        rd_points([*rows, rows[0]], "ms_ssim")
    with pytest.raises(DataError, match=r"a, q=1, image0: expected a positive rate .* bpp=0\.0"):
        rd_points([replace(rows[0], bpp=0.0)], "ms_ssim")
    with pytest.raises(DataError, match=r"a quality, .* ms_ssim=nan"):
        rd_points([changed(rows[0], ms_ssim=math.nan)], "ms_ssim")
