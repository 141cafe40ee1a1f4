"""Other codecs are measured at their best: a setting that another one beats is left out."""

from dataclasses import replace

import numpy as np
import pytest
from tests.evaluation.synthetic import changed, codec

from rnncodec.evaluation.rd_points import best_within, rd_points
from rnncodec.evaluation.results import Result
from rnncodec.evaluation.summary import summarize

ANCHOR = codec("anchor", [0.1, 0.2, 0.4, 0.7, 1.1, 1.6, 2.2])
RISING = codec("jxl", [0.1, 0.2, 0.35, 0.7, 1.1, 1.6, 2.2])


def worse(row: Result, setting: str = "q=bad") -> Result:
    """More bytes than ``row``, and a lower quality by every metric."""
    assert row.bpp is not None
    dropped = {name: row.values[name] - 1 for name in ("psnr_rgb", "psnr_hvs", "psnr_hvs_m")}
    dropped["ms_ssim"] = row.values["ms_ssim"] - 0.02
    return changed(row, setting=setting, bpp=row.bpp * 1.1, **dropped)


def test_a_setting_that_another_beats_on_every_image_changes_no_figure() -> None:
    worsened = [worse(row) for row in RISING if row.setting == "q=3"]
    found = summarize([*ANCHOR, *RISING, *worsened], "anchor")
    without = summarize([*ANCHOR, *RISING], "anchor")
    assert found.codecs == without.codecs
    assert without.absent == []
    (note,) = found.absent
    assert note == (
        "jxl: left out for another of its settings that takes no more bytes and is better (on how "
        "many images): q=bad (8) by psnr_rgb, ms_ssim, ms_ssim_db, psnr_hvs, psnr_hvs_m"
    )


def test_the_anchor_is_at_its_best_too() -> None:
    worsened = [worse(row) for row in RISING if row.setting == "q=3"]
    found = summarize([*ANCHOR, *RISING, *worsened], "jxl").of("anchor")
    assert found == summarize([*ANCHOR, *RISING], "jxl").of("anchor")


def test_where_a_setting_is_beaten_on_one_image_the_averages_stay_over_all() -> None:
    at = {(row.setting, row.image): row for row in RISING}
    at["q=3", "image5"] = worse(at["q=4", "image5"], "q=3")
    (found,) = rd_points(list(at.values()), "psnr_rgb")
    assert found.dominated == {"q=3": 1}
    image, third = found.images.index("image5"), found.settings.index("q=3")
    for array, metric in ((found.bpp, "bpp"), (found.value, "psnr_rgb")):
        assert array[third, image] == at["q=4", "image5"].record()[metric]
        assert array[third, 0] == at["q=3", "image0"].record()[metric]
    assert len(found.curve().samples) == 7


def test_what_beats_is_decided_metric_by_metric() -> None:
    blurred = [
        changed(row, setting="q=blur", bpp=1.05 * (row.bpp or 0), psnr_rgb=20.0, ms_ssim=0.97)
        for row in RISING
        if row.setting == "q=3"
    ]
    found = {m: rd_points([*RISING, *blurred], m)[0] for m in ("psnr_rgb", "ms_ssim")}
    assert found["psnr_rgb"].dominated == {"q=blur": 8}
    assert "q=blur" not in found["psnr_rgb"].settings
    assert "q=blur" in found["ms_ssim"].settings


def test_an_average_that_another_beats_is_left_out_of_the_curve() -> None:
    def row(setting: str, image: str, bpp: float, psnr: float) -> Result:
        return Result("jxl", setting, image, None, 1, bpp, {"psnr_rgb": psnr})

    rows = [
        *(row("q=1", "a", 0.9, 31.0), row("q=1", "b", 0.3, 28.0)),
        *(row("q=2", "a", 0.5, 30.0), row("q=2", "b", 0.5, 34.0)),
    ]
    (found,) = rd_points(rows, "psnr_rgb")
    assert found.dominated == {}
    assert found.curve().labelled == [(0.5, 32.0, "q=2")]
    each = found.curve(np.eye(2))
    assert np.array_equal(each.bpp, [[0.5, 0.9], [0.3, 0.5]])
    assert np.array_equal(each.quality, [[30.0, 31.0], [28.0, 34.0]])


def test_settings_that_come_to_the_same_files_are_one() -> None:
    again = [replace(row, setting="q=same") for row in RISING if row.setting == "q=3"]
    (found,) = rd_points([*RISING, *again], "psnr_rgb")
    assert found.settings == tuple(f"q={k}" for k in range(1, 8))
    assert found.dominated == {}


@pytest.mark.parametrize("metric", ["psnr_rgb", "ms_ssim_db"])
def test_the_iterations_of_a_model_are_as_they_are(metric: str) -> None:
    ours = codec("ours", [k / 8 for k in range(1, 17)], ours=True)
    rows = [
        changed(row, psnr_rgb=10.0, ms_ssim=0.5) if row.iteration == 9 else row for row in ours
    ]
    (found,) = rd_points(rows, metric)
    assert found.dominated == {}
    assert found.iterations == tuple(range(1, 17))
    bpp, value = zip(*found.curve().samples, strict=True)
    assert list(bpp) == sorted(bpp)
    assert value[8] == min(value)


def test_the_best_within_a_rate_is_that_of_brute_force() -> None:
    rng = np.random.default_rng(0)
    bpp, value = rng.integers(1, 9, (2, 200, 7)).astype(float)  # with many ties
    for rates, qualities, places in zip(bpp, value, best_within(bpp, value), strict=True):
        for rate, place in zip(rates, places, strict=True):
            quality = max(q for b, q in zip(rates, qualities, strict=True) if b <= rate)
            cheapest = min(b for b, q in zip(rates, qualities, strict=True) if q == quality)
            assert (rates[place], qualities[place]) == (cheapest, quality)
