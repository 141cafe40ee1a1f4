import math

from rnncodec.evaluation.report.metrics import decibel, styles, value
from rnncodec.evaluation.results import Result


def row(**changed: object) -> Result:
    cells = {"psnr_rgb": 30.0, "ssim": None, "ms_ssim": None, "psnr_hvs": None, "psnr_hvs_m": None}
    known = {
        "codec": "c",
        "setting": "q=1",
        "image": "a",
        "iteration": None,
        "bytes": 9,
        "bpp": 1.0,
    }
    return Result(**{**known, **cells, "encode_s": None, "decode_s": None, **changed})  # type: ignore[arg-type]


def test_only_metrics_that_some_row_has_are_offered_further_ones_last():
    found = styles([row(), row(more={"vif": 0.5})])
    assert [style.key for style in found] == ["psnr_rgb", "vif"]


def test_decibels_follow_from_ms_ssim():
    assert value(row(ms_ssim=0.9), "ms_ssim_db") == 10.0
    assert value(row(), "ms_ssim_db") is None
    assert decibel(1.0) == math.inf
