from pathlib import Path

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.figure import Figure
from numpy.typing import NDArray
from PIL import Image

from rnncodec.evaluation import plots


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


@pytest.mark.parametrize("name", ["cost_$5_vs_$6", "x$^$y", r"\\$5 {a} \\frac"])
def test_a_name_is_text_and_no_mathematics(tmp_path: Path, name: str) -> None:
    picture = np.zeros((16, 16, 3), np.uint8)
    cells = [(name, picture, name)]
    plots.reconstructions(tmp_path / "sheet.png", [plots.Row(name, picture, cells)])
    with mpl.rc_context({"text.usetex": True}), mpl.rc_context(plots.AS_TEXT):
        text = Figure().text(0, 0, name)
    assert not text.get_parse_math()
    assert not text.get_usetex()
