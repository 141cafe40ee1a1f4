import math

import numpy as np
import pytest
from tests.evaluation.synthetic import changed, codec, failed

from rnncodec.errors import ConfigError, DataError
from rnncodec.evaluation.curves import FILES, NOMINAL, RDCurve, first_of
from rnncodec.evaluation.rd_points import mean_curve
from rnncodec.evaluation.results import Result
from rnncodec.evaluation.summary import summarize

RATES = [k / 8 for k in range(1, 17)]
ANCHOR = codec("anchor", [0.1, 0.2, 0.4, 0.7, 1.1, 1.6, 2.2])


def test_a_codec_of_half_the_rate_saves_half_at_every_quality() -> None:
    half = codec("half", [0.1, 0.2, 0.4, 0.7, 1.1, 1.6, 2.2], scale=0.5)
    found = summarize([*ANCHOR, *half], "anchor").of("half")
    for metric in ("psnr_rgb", "ms_ssim_db", "psnr_hvs", "psnr_hvs_m"):
        delta = found.bd_rate[metric]
        assert (delta.value, delta.low, delta.high) == pytest.approx((-50.0, -50.0, -50.0))
    anchors = summarize(ANCHOR).of("anchor").rate_at["psnr_hvs"]
    for level, rate in found.rate_at["psnr_hvs"].items():
        if rate.value is not None:
            assert rate.value == pytest.approx(anchors[level].value / 2)


def test_a_codec_that_is_better_by_a_decibel_is_so_at_every_rate() -> None:
    better = codec("better", [0.1, 0.2, 0.4, 0.7, 1.1, 1.6, 2.2], gain=1.0)
    found = summarize([*ANCHOR, *better], "anchor").of("better")
    delta = found.bd_metric["psnr_hvs"]
    assert (delta.value, delta.low, delta.high) == pytest.approx((1.0, 1.0, 1.0))
    assert "ms_ssim" not in found.bd_rate


def test_areas_are_those_of_the_mean_curve() -> None:
    rows = codec("ours", RATES, ours=True, scale=0.9)
    curve = mean_curve(rows, "ms_ssim")
    assert curve is not None
    found = summarize(rows)
    files, at_nominal = found.of("ours"), found.of("ours", NOMINAL)
    assert files.auc["ms_ssim"].value == pytest.approx(first_of(curve.area()), rel=1e-12)
    assert files.auc_nominal == {}
    assert at_nominal.auc_nominal["ms_ssim"].value == pytest.approx(
        first_of(curve.nominal_area()), rel=1e-12
    )
    by_eighths = RDCurve.of([(k / 8, q) for k, (_, q) in enumerate(curve.samples, start=1)])
    assert at_nominal.auc["ms_ssim"].value == pytest.approx(first_of(by_eighths.area()), rel=1e-12)
    assert (files.name, at_nominal.name) == ("ours", "ours, nominal rate")


def test_the_interval_of_an_area_is_that_of_resampled_tables() -> None:
    rows = codec("ours", RATES, ours=True)
    rng = np.random.default_rng(11)
    drawn = []
    for _ in range(400):  # the whole computation anew, image by image
        chosen = rng.integers(0, 8, 8)
        tables = [[row for row in rows if row.image == f"image{k}"] for k in chosen]
        bpp = np.mean([[row.bpp for row in table] for table in tables], axis=0)
        value = np.mean([[row.values["psnr_hvs"] for row in table] for table in tables], axis=0)
        drawn.append(first_of(RDCurve.of(zip(bpp, value, strict=True)).area()))
    low, high = np.percentile(drawn, [2.5, 97.5])
    found = summarize(rows).of("ours").auc["psnr_hvs"]
    assert (found.low, found.high) == pytest.approx((low, high), abs=0.12 * (high - low))


@pytest.mark.parametrize("anchor", ["anchor", "other"])
def test_the_difference_of_areas_is_paired_over_images(anchor: str) -> None:
    rows = {
        "ours": codec("ours", RATES, ours=True, gain=0.3),
        "anchor": ANCHOR,
        "other": codec("other", [0.1, 0.3, 0.8, 2.9], gain=-0.2, scale=0.8),
    }
    uneven = [  # ours gains where an image is easy
        changed(row, psnr_hvs=row.values["psnr_hvs"] + 0.2 * int(row.image[-1]))
        for row in rows["ours"]
    ]
    found = summarize([*uneven, *rows["anchor"], *rows["other"]], anchor).of("ours")

    def by_hand(of: list[Result], images: list[int]) -> float:
        tables = [[row for row in of if row.image == f"image{k}"] for k in images]
        bpp = np.mean([[row.bpp for row in table] for table in tables], axis=0)
        value = np.mean([[row.values["psnr_hvs"] for row in table] for table in tables], axis=0)
        fine = np.union1d(np.linspace(0.25, 1.5, 9), bpp[(bpp > 0.25) & (bpp < 1.5)])
        return float(np.trapezoid(np.interp(fine, bpp, value), fine) / 1.25)

    def difference(images: list[int]) -> float:
        return by_hand(uneven, images) - by_hand(rows[anchor], images)

    delta = found.auc_delta["psnr_hvs"]
    assert delta.value == pytest.approx(difference(list(range(8))), rel=1e-9)
    rng = np.random.default_rng(5)
    drawn = [difference(list(rng.integers(0, 8, 8))) for _ in range(400)]
    low, high = np.percentile(drawn, [2.5, 97.5])
    assert (delta.low, delta.high) == pytest.approx((low, high), abs=0.12 * (high - low))
    assert delta.high - delta.low < found.auc["psnr_hvs"].high - found.auc["psnr_hvs"].low


def test_without_an_area_there_is_no_difference_of_areas_but_whose_it_is() -> None:
    short = codec("short", RATES[2:6])
    found = summarize([*ANCHOR, *short], "short").of("anchor").auc_delta["ms_ssim"]
    assert found.reason == "the anchor's curve covers 0.377-0.754 bpp, not 0.25-1.5"
    assert summarize([*ANCHOR, *short], "anchor").of("anchor").auc_delta == {}
    assert summarize([*ANCHOR, *short]).of("short").auc_delta == {}


def test_what_a_curve_does_not_cover_is_said() -> None:
    short = summarize([*ANCHOR, *codec("short", RATES[2:6], ours=True)], "anchor")
    found = short.of("short")
    assert found.auc["ms_ssim"].value is None
    assert found.auc["ms_ssim"].reason == "the curve covers 0.377-0.754 bpp, not 0.25-1.5"
    nominal = short.of("short", NOMINAL).auc_nominal["ms_ssim"]
    assert nominal.reason == "iterations 1-16 are needed; 4 of them are there"
    levels = found.rate_at["psnr_hvs"]
    assert "already at its lowest rate, 0.377 bpp" in levels[32.0].reason
    assert "up to 0.754 bpp" in found.rate_at["ms_ssim"][0.99].reason
    assert found.bd_rate["psnr_hvs"].range is not None


def test_a_failed_image_is_in_no_average_and_is_named() -> None:
    rows = [*ANCHOR, *codec("b", RATES, images=7), failed("b", "image7", "cannot be read")]
    found = summarize(rows, "anchor")
    assert found.images["ms_ssim"] == tuple(f"image{k}" for k in range(7))
    without = summarize([row for row in rows if row.image != "image7"], "anchor")
    assert found.codecs == without.codecs
    assert found.notes == [
        "psnr_rgb, ms_ssim, ms_ssim_db, psnr_hvs, psnr_hvs_m: averages are over the 7 of 8 images "
        "that every codec has; left out: image7",
        "b, image7: 1 row without picture or with metrics missing: cannot be read",
    ]


def test_a_codec_without_any_picture_is_named_and_spoils_nothing() -> None:
    found = summarize([*ANCHOR, failed("c", "image0", "not installed")])
    assert "c: nothing was measured" in found.notes
    assert found.of("anchor") == summarize(ANCHOR).of("anchor")
    assert found.of("c").curves == {}


def test_codecs_without_a_common_image_have_no_figures() -> None:
    other = [row for row in codec("b", RATES) if row.image == "image1"]
    found = summarize([*(row for row in ANCHOR if row.image == "image0"), *other], "anchor")
    assert found.of("b", FILES).auc == {}
    assert "averages are over the 0 of 2 images" in found.notes[0]


def test_what_cannot_be_asked_for_is_refused() -> None:
    with pytest.raises(DataError, match="no results"):
        summarize([])
    with pytest.raises(ConfigError, match="anchor 'avif': not among the codecs anchor"):
        summarize(ANCHOR, "avif")
    with pytest.raises(ConfigError, match="no curve of avif at file bytes; there are anchor"):
        summarize(ANCHOR).of("avif")


def test_settings_that_no_average_contains_are_named() -> None:
    rows = [changed(row, psnr_hvs=math.inf) if row.setting == "q=2" else row for row in ANCHOR]
    (note,) = summarize(rows).absent
    assert note.startswith("anchor, psnr_hvs: left out, since an image lacks them or is perfect")
    assert note.endswith(": q=2")
    assert summarize(ANCHOR).absent == []
