"""`rnncodec curves`, and the published points that are packaged."""

import csv
import json
from pathlib import Path

import pytest

from rnncodec.evaluation.curves import PACKAGED, read_published
from rnncodec.evaluation.results import Result, write_results

DPICT = "DPICT (CVPR 2022, progressive)"
SETS = ("kodak", "kodak-more")


@pytest.mark.parametrize("name", SETS)
def test_packaged_points_are_possible_and_have_a_source(name: str) -> None:
    sources = json.loads((PACKAGED / "sources.json").read_text("utf-8"))
    curves = read_published(Path(name))
    assert len(curves) > 20
    for curve in curves:
        assert curve.codec in sources
        assert curve.metric in ("ms_ssim", "psnr_rgb")
        rates, values = zip(*curve.samples, strict=True)
        assert all(0.01 < rate < 10 for rate in rates)
        low, high = (0.4, 1) if curve.metric == "ms_ssim" else (20, 60)
        assert all(low < value < high for value in values), "not in dB, or the other way round"
        assert values[-1] > values[0]


def test_no_curve_is_in_both_sets() -> None:
    points = [
        {(curve.metric, tuple(curve.samples)) for curve in read_published(Path(name))}
        for name in SETS
    ]
    assert not points[0] & points[1]


def test_curves_are_listed_with_their_source(command) -> None:
    done = command("curves")
    assert (done.code, done.err) == (0, "")
    assert "Johnston 2018 (RNN, priming + SABR)\n  ms_ssim: 82 points" in done.out
    assert "CVPR 2018" in done.out


def test_one_codec_in_both_forms(command, tmp_path: Path) -> None:
    name = "CompressAI mbt2018-mean (MSE)"
    target = tmp_path / "one.json"
    assert command("curves", "kodak-more", "--codec", name, "--out", target).code == 0
    found = json.loads(target.read_text())
    assert found["name"] == name
    assert [len(values) for values in found["results"].values()] == [8, 8, 8]
    assert set(found["results"]) == {"bpp", "psnr", "ms-ssim"}
    table = tmp_path / "one.csv"
    assert command("curves", "kodak-more", "--codec", name, "-o", table).code == 0
    curves = [curve for curve in read_published(Path("kodak-more")) if curve.codec == name]
    assert [c.samples for c in read_published(table)] == [c.samples for c in curves]
    assert command("curves", "kodak-more", "--codec", name, "-o", table).code == 2
    assert command("curves", "kodak-more", "--codec", name, "-o", table, "--force").code == 0


def test_own_results_take_the_same_forms(command, tmp_path: Path) -> None:
    results = tmp_path / "results.csv"
    rows = [
        Result(
            codec="ours",
            image=image,
            setting=f"n={n}",
            iteration=n,
            bytes=1000 * n,
            bpp=n / 8,
            values={"psnr_rgb": 20.0 + n + shift, "ms_ssim": 0.9 + n / 100},
        )
        for image, shift in (("a", 0.0), ("b", 1.0))
        for n in (1, 2, 3)
    ]
    write_results(results, rows)
    target = tmp_path / "ours.json"
    done = command("curves", results, "--codec", "ours", "--out", target)
    assert (done.code, done.err) == (0, "")
    assert json.loads(target.read_text())["results"] == {
        "bpp": [0.125, 0.25, 0.375],
        "psnr": [21.5, 22.5, 23.5],
        "ms-ssim": pytest.approx([0.91, 0.92, 0.93]),
    }


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere"], "expected a CSV, or one of the packaged sets: kodak, kodak-more"),
        (["kodak", "--codec", "x264"], "no codec 'x264'; it has Toderici 2017"),
        (["kodak", "--out", "all.json"], "a .json holds one codec; name it: --codec NAME"),
        (["kodak", "--out", "all.txt"], "expected a name that ends in .csv or .json"),
        (
            ["kodak", "--codec", "DPICT (CVPR 2022, progressive)", "--out", "a.json"],
            "write a .csv",
        ),
    ],
)
def test_what_cannot_be_is_one_line(
    command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    done = command("curves", *arguments)
    assert done.code == 2
    assert message in done.err
    assert len(done.err.splitlines()) == 1
    assert not [*tmp_path.iterdir()]


def test_a_csv_of_points_is_read_whatever_its_name(command, tmp_path: Path) -> None:
    path = tmp_path / "results.csv"
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([["codec", "metric", "bpp", "value"], ["a", "ssim", 1, 0.5]])
    assert command("curves", path).out == "a\n  ssim: 1 points, 1.000 to 1.000 bpp\n"
