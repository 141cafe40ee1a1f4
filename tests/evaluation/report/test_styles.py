import math

from rnncodec.evaluation.report.curves import metric_styles, value
from rnncodec.evaluation.results import Result


def row(ms_ssim: float | None) -> Result:
    values = {"psnr_rgb": 30.0, "vif": 0.5} | ({} if ms_ssim is None else {"ms_ssim": ms_ssim})
    return Result("c", "q=1", "a", None, 9, 1.0, values)


def test_metrics_come_in_the_order_of_the_page_further_ones_last():
    found = metric_styles(["vif", "psnr_rgb", "ms_ssim", "ms_ssim_db"])
    assert [style["key"] for style in found] == ["ms_ssim", "ms_ssim_db", "psnr_rgb", "vif"]
    assert [style["near_one"] for style in found] == [True, False, False, False]


def test_values_of_a_row():
    assert value(row(0.9), "ms_ssim_db") == 10.0
    assert value(row(1.0), "ms_ssim_db") == math.inf
    assert value(row(None), "ms_ssim_db") is None
    assert value(row(None), "vif") == 0.5
