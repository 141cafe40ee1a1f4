"""results.csv comes back as it was written."""

import csv
from pathlib import Path

import pytest
from tests.evaluation.synthetic import changed

from rnncodec.errors import DataError
from rnncodec.evaluation.results import Result, read_results, write_results

VALUES = {"psnr_rgb": 22.5, "ssim": 0.7, "ms_ssim": 0.75, "psnr_hvs": 21.0, "psnr_hvs_m": 22.0}
MEASURED = Result("compact-0", "t=1", "kodim01", 1, 4096, 1 / 12, VALUES, 0.5, 0.25)
FAILED = Result("jpeg-420", "", "broken", None, None, None, {}, reason='no picture, "broken"')


def test_round_trip(tmp_path: Path) -> None:
    path = tmp_path / "results.csv"
    write_results(path, [MEASURED, FAILED])
    assert read_results(path) == [MEASURED, FAILED]


def test_further_metrics_are_further_columns(tmp_path: Path) -> None:
    path = tmp_path / "results.csv"
    rows = [
        Result("a", "q=1", image, None, None, None, values)
        for image, values in (("b", {"vif": 0.5}), ("c", {"uqi": 0.25}), ("d", {}))
    ]
    write_results(path, rows)
    assert read_results(path) == rows
    assert path.read_text().splitlines()[0].endswith("reason,uqi,vif")


@pytest.mark.parametrize("metric", ["psnr_rgb", "psnr_hvs_m", "decode_s", "reason"])
def test_a_file_from_before_a_column_is_read_without_it(tmp_path: Path, metric: str) -> None:
    path = tmp_path / "results.csv"
    more = changed(MEASURED, vif=0.5)
    write_results(path, [more])
    with path.open(newline="") as file:
        rows = list(csv.reader(file))
    place = rows[0].index(metric)
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([*row[:place], *row[place + 1 :]] for row in rows)
    absent = "" if metric == "reason" else None
    assert read_results(path) == [changed(more, **{metric: absent})]


def test_a_further_metric_that_became_a_usual_one_is_read_as_such(tmp_path: Path) -> None:
    path = tmp_path / "results.csv"
    path.write_text(
        "codec,setting,image,iteration,bytes,bpp,psnr_rgb,vif,ssim\na,q=1,b,,9,0.5,30,0.5,0.9\n"
    )
    values = {"psnr_rgb": 30.0, "ssim": 0.9, "vif": 0.5}
    expected = Result("a", "q=1", "b", None, 9, 0.5, values)
    assert read_results(path) == [expected]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("codec,bpp\n", "expected the columns"),
        (",".join(["codec"] * 3), "expected the columns"),
        ("codec,setting,image,bytes,bpp,psnr_rgb", "the columns .*iteration.* got codec,setting"),
        ("codec,setting,image,iteration,bytes,bpp,ssim,ssim", "each once"),
    ],
)
def test_other_columns_are_refused(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "results.csv"
    path.write_text(text)
    with pytest.raises(DataError, match=message):
        read_results(path)


def test_a_bad_cell_is_named_by_its_line(tmp_path: Path) -> None:
    path = tmp_path / "results.csv"
    write_results(path, [MEASURED])
    path.write_text(path.read_text().replace("4096", "many"))
    with pytest.raises(DataError, match="line 2"):
        read_results(path)


def test_what_is_no_text_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "results.csv"
    path.write_bytes(b"\x00\xff\xfe")
    with pytest.raises(DataError, match=r"results\.csv, line 0: .*utf-8"):
        read_results(path)
