from dataclasses import replace
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from PIL import Image

from rnncodec.evaluation.curves import FILES, RDCurve, with_decibels
from rnncodec.evaluation.plots import (
    AS_TEXT,
    Line,
    legend,
    limits,
    lines_of,
    paper_plot,
    solid,
)

CURVE = [(0.125, 0.8), (0.5, 0.95), (1.0, 0.98), (3.0, 0.99)]
METRICS = ("ms_ssim", "ms_ssim_db", "psnr_hvs")


def curves_of(*names: str) -> list[RDCurve]:
    return [replace(RDCurve.of(CURVE, n, m), rates=FILES) for n in names for m in METRICS]


def test_the_pdf_embeds_truetype_fonts_and_holds_no_pixels(tmp_path: Path) -> None:
    published = [RDCurve.of(CURVE, "JPEG", "ms_ssim")]
    paths = [tmp_path / "rd.pdf", tmp_path / "rd.png"]
    paper_plot(paths, curves_of("ours"), published=published)
    pdf = (tmp_path / "rd.pdf").read_bytes()
    assert b"/FontFile2" in pdf
    assert b"/Type3" not in pdf
    assert b"/Subtype /Image" not in pdf
    with Image.open(tmp_path / "rd.png") as image:
        assert (image.format, image.width) == ("PNG", 2160)
    assert {path.name for path in tmp_path.iterdir()} == {"rd.pdf", "rd.png"}


def test_no_two_curves_look_alike_even_in_grey() -> None:
    names = [f"codec {k}" for k in range(14)]
    lines = lines_of(names).values()
    looks = [(line.colour, line.marker) for line in lines]
    assert len(set(looks)) == 14
    markers = {(solid(line)["marker"], solid(line)["fillstyle"]) for line in lines}
    assert len(markers) == 14


def test_a_nominal_curve_is_its_codecs_but_hollow() -> None:
    names = ["a", "a, nominal rate", "b"]
    looks = lines_of(names, {"a, nominal rate": Line(like="a", fill=1)})
    assert looks["a"] == Line(0, 0)
    assert looks["a, nominal rate"] == Line(0, 0, 1)
    assert looks["b"] == Line(1, 1)


def test_published_decibels_come_from_the_published_values() -> None:
    curve = RDCurve.of([(0.5, 0.9), (1.0, 0.99), (2.0, 1.0)], "a", "ms_ssim")
    assert with_decibels([curve])[0] == curve
    found = with_decibels([curve])[1]
    assert found.metric == "ms_ssim_db"
    np.testing.assert_allclose(found.samples, [(0.5, 10.0), (1.0, 20.0)])


@pytest.mark.parametrize(
    ("curve", "expected"),
    [
        ([(0.05, 0.2), (0.5, 0.9), (1.0, 0.98), (4.0, 0.999)], (0.896, 0.984)),
        ([(0.05, 0.2), (0.2, 0.4)], (0.19, 0.41)),
        ([], (-0.05, 1.05)),
    ],
)
def test_very_low_rates_do_not_squeeze_the_rest(
    curve: list[tuple[float, float]], expected: tuple[float, float]
) -> None:
    assert limits([curve]) == pytest.approx(expected)


def test_curves_that_share_a_name_share_a_legend_entry(tmp_path: Path) -> None:
    curves = curves_of("row") + curves_of("row")
    paper_plot([tmp_path / "rd.png"], curves, panels=("ms_ssim",))
    with Image.open(tmp_path / "rd.png") as image:
        assert image.width == 1440  # one panel is as wide as two


NAMES = ["cost_$5_vs_$6", "x$^$y", "_begins", "plain"]


def test_every_curve_is_in_the_legend_under_its_name_as_text(tmp_path: Path) -> None:
    """Two $ made mathematics of it, and matplotlib leaves out a name that begins with _."""
    published = [RDCurve.of(CURVE, name, "psnr_hvs") for name in NAMES]
    paper_plot([tmp_path / "rd.pdf"], curves_of(*NAMES), published=published)
    figure = Figure()
    with mpl.rc_context(AS_TEXT):
        legend(figure, dict.fromkeys(NAMES, Line2D([], [])), 2)
    shown = figure.legends[0].get_texts()
    assert [text.get_text() for text in shown] == NAMES
    assert not any(text.get_parse_math() for text in shown)
