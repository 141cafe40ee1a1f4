from pathlib import Path

import pytest

from rnncodec.errors import DataError
from rnncodec.evaluation.curves import RDCurve, read_published


def test_curves_are_grouped_and_sorted(tmp_path: Path) -> None:
    path = tmp_path / "rd.csv"
    path.write_text(
        'codec,metric,bpp,value\n"A (x, y)",ms_ssim,0.5,0.95\n"A (x, y)",ms_ssim,0.25,0.9\n'
        "B,psnr_rgb,1,30\n"
    )
    assert read_published(path) == [
        RDCurve.of([(0.25, 0.9), (0.5, 0.95)], "A (x, y)", "ms_ssim"),
        RDCurve.of([(1.0, 30.0)], "B", "psnr_rgb"),
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("codec,bpp\n", "expected the columns codec,metric,bpp,value, got codec,bpp"),
        ("codec,metric,bpp,value\nA,ms_ssim,0.5\n", "line 2: expected codec,metric,bpp,value"),
        ("codec,metric,bpp,value\nA,ms_ssim,0.5,good\n", "line 2: .*good"),
        ("codec,metric,bpp,value\nA,ms_ssim,nan,0.9\n", "line 2: bpp and value must be finite"),
    ],
)
def test_a_file_of_another_kind_is_refused(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "rd.csv").write_text(text)
    with pytest.raises(DataError, match=message):
        read_published(tmp_path / "rd.csv")


def test_what_is_no_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "rd.csv").write_bytes(b"PAR1\xff\xfe")
    with pytest.raises(DataError, match=r"rd\.csv: cannot be read as CSV"):
        read_published(tmp_path / "rd.csv")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"none\.csv: no such file of published curves"):
        read_published(tmp_path / "none.csv")


def test_names_are_one_line_of_text(tmp_path: Path) -> None:
    path = tmp_path / "curves.csv"
    path.write_text('codec,metric,bpp,value\n"a\nb $5 $6",ms_ssim,1,0.9\n', encoding="utf-8")
    assert [curve.codec for curve in read_published(path)] == [r"a\nb $5 $6"]
