from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure
from numpy.typing import NDArray
from PIL import Image

from rnncodec.evaluation import plots

CURVE = [(0.125, 0.8), (0.5, 0.95), (1.0, 0.98), (3.0, 1.0)]
DECIBELS = [(0.125, 22.0), (0.5, 27.0), (1.0, 31.0), (3.0, 40.0)]


def test_the_rate_distortion_plot_is_a_png_and_nothing_else_is_left(tmp_path: Path) -> None:
    curves = {"ours": {"ms_ssim": CURVE, "psnr_hvs": DECIBELS}, "other": {"ms_ssim": CURVE}}
    plots.rd_plot(tmp_path / "rd.png", curves, published={"JPEG": {"ms_ssim": CURVE}})
    with Image.open(tmp_path / "rd.png") as image:
        assert image.format == "PNG"
        assert min(image.size) > 500
        assert len(image.convert("RGB").getcolors(maxcolors=1 << 24) or []) > 50
    assert [path.name for path in tmp_path.iterdir()] == ["rd.png"]


@pytest.mark.parametrize(
    ("curves", "panel"),
    [
        ({"a": {"ms_ssim": CURVE}}, "ms_ssim"),
        ({"a": {"psnr_rgb": DECIBELS}}, "psnr_rgb"),
        ({"a": {"ms_ssim": []}}, "psnr_rgb"),
    ],
)
def test_psnr_stands_in_where_no_curve_has_ms_ssim(curves: plots.Curves, panel: str) -> None:
    assert plots.default_metrics(curves) == (panel, "psnr_hvs")


def test_a_curve_is_cut_at_the_end_of_the_axis() -> None:
    ax = Figure().subplots()
    line = plots.draw(ax, DECIBELS, 2.0, plots.solid(0))
    np.testing.assert_allclose(line.get_xdata(), [0.125, 0.5, 1.0, 2.0])
    np.testing.assert_allclose(line.get_ydata(), [22.0, 27.0, 31.0, 35.5])
    assert line.get_markevery() == [0, 1, 2]


def test_the_ms_ssim_axis_is_invertible() -> None:
    values = np.array([0.0, 0.5, 0.9, 0.99, 0.9999])
    np.testing.assert_allclose(plots.to_decibel(values)[2:4], [10.0, 20.0])
    np.testing.assert_allclose(plots.from_decibel(plots.to_decibel(values)), values, atol=1e-12)


def test_the_sheet_shows_crops_pixel_for_pixel(tmp_path: Path) -> None:
    checks = np.indices((160, 160)).sum(axis=0) % 2 * 255  # resampling would turn these grey
    crop: NDArray[np.uint8] = np.repeat(checks[..., None], 3, axis=-1).astype(np.uint8)
    row = plots.Row("a", crop, [("iteration 1", crop, "0.125 bpp")])
    plots.reconstructions(tmp_path / "sheet.png", [row, row])
    with Image.open(tmp_path / "sheet.png") as image:
        grey = np.asarray(image.convert("L"))
    left, top = 19, 48  # 0.12 and 0.3 inches at 160 dpi; 2 pixels of the sheet for one of the crop
    doubled = np.kron(checks, np.ones((2, 2)))
    np.testing.assert_array_equal(grey[top : top + 320, left : left + 320], doubled)
