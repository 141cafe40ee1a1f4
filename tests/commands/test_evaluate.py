"""`rnncodec evaluate` as its users start it."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from rnncodec.codec import Codec
from rnncodec.evaluation.results import read_results


@pytest.fixture
def evaluate(command, tmp_path: Path) -> Callable:
    """Run the command on the pictures in ``in``, in this process, into ``out``."""

    def run(*more: object):
        fixed = ("--images", tmp_path / "in", "--out", tmp_path / "out", "--workers", 1)
        return command("evaluate", *fixed, *more)

    return run


def test_models_and_baselines_in_one_table(evaluate, picture, tiny: Codec, tmp_path: Path) -> None:
    picture("in/a.png", (48, 44))
    (tmp_path / "in/broken.png").write_bytes(b"nothing")
    curves = tmp_path / "rd.csv"
    curves.write_text("codec,metric,bpp,value\nA,ms_ssim,1,0.9\n")
    metric = "visual_information_fidelity"
    done = evaluate(
        *("--model", "tiny", "--baselines", "webp,jpeg-420", "--iterations", 2),
        *("--published", curves, "--metric", metric),
    )
    assert done.code == 2, done.err
    assert "tiny: 1 of 2 images, " in done.out
    assert "6 codings, 0 known before" in done.out
    assert "broken: webp: cannot read image" in done.err
    rows = read_results(tmp_path / "out/results.csv")
    assert {row.codec for row in rows} == {"tiny", "webp", "jpeg-420"}
    assert [row.iteration for row in rows if row.codec == "tiny"] == [1, 2, None]
    assert all(metric in row.values for row in rows if row.image == "a")
    found = json.loads((tmp_path / "out/evaluation.json").read_text())
    assert [image["name"] for image in found["images"]] == ["a", "broken"]
    assert found["images"][0]["width"] == 48
    assert found["codecs"]["tiny"]["fingerprint"] == tiny.fingerprint.hex()
    assert found["codecs"]["tiny"]["parameters"] > 0
    assert found["codecs"]["webp"]["peak_memory"] > 2**20
    assert (tmp_path / "out" / found["published"]).read_text() == curves.read_text()
    coded = (tmp_path / "out/files/tiny/a.rnc").read_bytes()
    assert tiny.decode(coded).size == (48, 44)


def test_names_are_text_in_all_that_is_written(
    evaluate, picture, tiny: Codec, tmp_path: Path
) -> None:
    """With two $ there were no plots, and with bytes that are no UTF-8 no table."""
    picture("in/x$^$y.png")
    picture("in/a.png").rename(tmp_path / "in" / "caf\udce9|<b>.png")
    (tmp_path / "in" / "broken\udcff.png").write_bytes(b"nothing")
    tiny.save(tmp_path / "_m$1$|<i>.safetensors")
    done = evaluate("--model", tmp_path / "_m$1$|<i>.safetensors", "--baselines", "jpeg-420")
    assert done.code == 2, done.err
    rows = read_results(tmp_path / "out/results.csv")
    assert {row.image for row in rows} == {"x$^$y", r"caf\xe9|<b>", r"broken\xff"}
    assert {row.codec for row in rows} == {"_m$1$|<i>", "jpeg-420"}
    assert r"| \_m\$1\$\|\<i> | file bytes |" in re.sub(
        " +", " ", (tmp_path / "out/table.md").read_text()
    )
    assert r"\_m\$1\$\textbar{}" in (tmp_path / "out/table.tex").read_text()
    page = (tmp_path / "out/report.html").read_text()
    assert "_m$1$|&lt;i&gt;" in page
    assert "|<i>" not in page
    assert "|<b>" not in page
    assert (tmp_path / "out/rd.png").stat().st_size > 1000


def test_a_model_with_an_adaptive_rate_is_a_codec_of_its_own(
    evaluate, picture, tiny: Codec, tmp_path: Path
) -> None:
    picture("in/a.png")
    done = evaluate("--model", "tiny", "--adaptive", "mse", "--baselines", "none", "--show", 0)
    assert done.code == 0, done.err
    rows = read_results(tmp_path / "out/results.csv")
    assert [(row.codec, row.setting, row.iteration) for row in rows[3:]] == [
        ("tiny+mse", f"t={t}", None) for t in (1, 2, 3)
    ]
    assert (tmp_path / "out/files/tiny+mse/a.rnc").exists()


def test_a_model_with_effort_is_a_codec_of_its_own(
    evaluate, picture, tiny: Codec, tmp_path: Path
) -> None:
    picture("in/a.png")
    done = evaluate("--model", "tiny", "--effort", 2, "--baselines", "none", "--show", 0)
    assert done.code == 0, done.err
    rows = read_results(tmp_path / "out/results.csv")
    assert [(row.codec, row.setting, row.iteration) for row in rows] == [
        (name, f"t={t}", t) for name in ("tiny", "tiny+effort=2") for t in (1, 2, 3)
    ]
    plain, better = ((tmp_path / f"out/files/{name}/a.rnc") for name in ("tiny", "tiny+effort=2"))
    assert plain.read_bytes() != better.read_bytes()


def test_effort_for_a_metric_is_named(evaluate, picture, tiny: Codec, tmp_path: Path) -> None:
    with Image.open(picture("in/a.png")) as opened:
        image = opened.convert("RGB")
    how = ("--effort", 2, "--for", "psnr", "--for", "ms_ssim")
    done = evaluate("--model", "tiny", *how, "--baselines", "none", "--show", 0)
    assert done.code == 0, done.err
    names = [row.codec for row in read_results(tmp_path / "out/results.csv")]
    found = [f"tiny+effort=2+for={metric}" for metric in ("psnr", "ms_ssim")]
    assert list(dict.fromkeys(names)) == ["tiny", *found]
    for name, metric in zip(found, ("psnr", "ms_ssim"), strict=True):
        alone = tiny.encode(image, effort=2, effort_for=metric)
        assert (tmp_path / f"out/files/{name}/a.rnc").read_bytes() == alone


def test_settings_are_measured_alone_and_together(
    evaluate, picture, tiny: Codec, tmp_path: Path
) -> None:
    picture("in/a.png")
    both = ("--adaptive", "mse", "--effort", 1, "--iterations", 2)
    assert evaluate("--model", "tiny", *both, "--baselines", "none", "--show", 1).code == 0
    rows = read_results(tmp_path / "out/results.csv")
    names = ("tiny", "tiny+mse", "tiny+effort=1", "tiny+mse+effort=1")
    assert list(dict.fromkeys(row.codec for row in rows)) == list(names)


def test_at_given_rates_every_point_is_a_file_of_its_own(
    evaluate, picture, tiny: Codec, tmp_path: Path
) -> None:
    with Image.open(picture("in/a.png")) as opened:
        image = opened.convert("RGB")
    how = ("--adaptive", "mse", "--effort", 1, "--bpp", "0.5,0.8")
    done = evaluate("--model", "tiny", *how, "--baselines", "none", "--show", 1)
    assert done.code == 0, done.err
    rows = read_results(tmp_path / "out/results.csv")
    name = "tiny+mse+effort=1+bpp"
    assert [(row.codec, row.setting) for row in rows[3:]] == [(name, "bpp=0.5"), (name, "bpp=0.8")]
    for row, bpp in zip(rows[3:], (0.5, 0.8), strict=True):
        alone = tiny.encode(image, bpp=bpp, adaptive="mse", effort=1)
        assert row.bytes == len(alone) <= bpp * 40 * 32 / 8
    assert (tmp_path / f"out/files/{name}/a.rnc").read_bytes() == alone
    plain = evaluate("--model", "tiny", "--bpp", "0.6", "--baselines", "none", "--show", 0)
    assert plain.code == 0, plain.err
    rows = read_results(tmp_path / "out/results.csv")
    assert [(row.codec, row.setting) for row in rows[3:]] == [("tiny+bpp", "bpp=0.6")]


def test_figures_and_a_page_stand_beside_the_table(evaluate, picture, tmp_path: Path) -> None:
    picture("in/a.png")
    done = evaluate("--baselines", "jpeg-420,webp")
    assert (done.code, done.out.splitlines()[-1]) == (0, str(tmp_path / "out/report.html"))
    assert json.loads((tmp_path / "out/results.json").read_text())["anchor"] == "jpeg-420"
    assert evaluate("--baselines", "jpeg-420,webp", "--anchor", "webp").code == 0
    assert json.loads((tmp_path / "out/results.json").read_text())["anchor"] == "webp"
    assert "deltas against webp" in (tmp_path / "out/report.html").read_text()


def test_a_second_run_measures_nothing(evaluate, picture) -> None:
    picture("in/a.png")
    assert evaluate("--baselines", "jpeg-420").code == 0
    done = evaluate("--baselines", "jpeg-420,webp")
    assert (done.code, "1 codings, 1 known before" in done.out) == (0, True)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--baselines", "none"], "nothing to evaluate: give --model, or --baselines"),
        (["--baselines", "gif"], "no 'gif'; choose among jpeg-420, "),
        (["--metric", "lpips"], "--metric lpips: no such metric; choose among"),
        (["--anchor", "gif"], "--anchor gif: not among the codecs jpeg-420, "),
        (["--model", "huge"], "huge: no such model file, and no model of this name"),
        (["--model", "tiny", "--iterations", "9"], "was trained for 1..3; lower --iterations"),
        (["--model", "tiny", "--model", "tiny"], "given twice"),
        (["--adaptive", "mse"], "--adaptive is a setting of models: give --model, too"),
        (["--effort", "3"], "--effort is a setting of models: give --model, too"),
        (["--model", "tiny", "--effort", "0"], "effort=0: expected a whole number of steps"),
        (
            ["--model", "tiny", "--for", "psnr"],
            "--for psnr: says what a search is for: give --eff",
        ),
        (["--model", "tiny", "--effort", "1", "--for", "x"], "effort_for=x: expected one of ms_"),
        (["--bpp", "0.5"], "--bpp is a setting of models: give --model, too"),
        (["--model", "tiny", "--bpp", "1,0.5"], "--bpp 1,0.5: expected positive rates that rise"),
        (["--model", "tiny", "--bpp", "low"], "--bpp low: expected positive rates that rise"),
        (["--workers", "-1"], "workers=-1: expected at least 0"),
        (["--published", "none.csv"], "none.csv: no such file of published curves"),
    ],
)
def test_what_cannot_work_is_refused_before_any_work(
    arguments: list[str], message: str, evaluate, picture, tiny: Codec, tmp_path: Path
) -> None:
    picture("in/a.png")
    done = evaluate(*arguments)
    assert done.code == 2
    assert message in done.err
    assert not (tmp_path / "out").exists()


def test_a_table_of_another_origin_is_not_replaced(evaluate, picture, tmp_path: Path) -> None:
    picture("in/a.png")
    picture("out/b.png")
    (tmp_path / "out/results.csv").write_text("mine")
    done = evaluate("--baselines", "jpeg-420")
    assert (done.code, "of another origin" in done.err) == (2, True)
    assert (tmp_path / "out/results.csv").read_text() == "mine"


def test_the_evaluation_of_a_run_is_not_replaced(evaluate, picture, tmp_path: Path) -> None:
    picture("in/a.png")
    picture("out/b.png")
    for name in ("results.csv", "evaluation.json", "summary.json"):
        (tmp_path / "out" / name).write_text("the run's")
    done = evaluate("--baselines", "jpeg-420")
    assert (done.code, "holds a training run's own evaluation" in done.err) == (2, True)
    assert (tmp_path / "out/results.csv").read_text() == "the run's"


def test_if_every_image_fails_there_is_no_table(evaluate, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in/broken.png").write_bytes(b"nothing")
    done = evaluate("--baselines", "jpeg-420")
    assert done.code == 2
    assert "none of the 1 images could be coded" in done.err
    assert not (tmp_path / "out/results.csv").exists()


def test_models_of_one_name_are_distinguished(
    evaluate, picture, tiny_codec: Codec, tmp_path: Path
) -> None:
    from rnncodec.models.model_file import Model

    picture("in/a.png")
    tiny_codec.save(tmp_path / "x/run/model.safetensors")
    Codec(Model(tiny_codec.model.network)).save(tmp_path / "y/run/model.safetensors")
    paths = [tmp_path / folder / "run/model.safetensors" for folder in "xy"]
    done = evaluate("--model", paths[0], "--model", paths[1], "--baselines", "none")
    assert done.code == 0, done.err
    names = {row.codec for row in read_results(tmp_path / "out/results.csv")}
    assert names == {
        f"run-{tiny_codec.fingerprint.hex()[:6]}",
        f"run-{Codec(Model(tiny_codec.model.network)).fingerprint.hex()[:6]}",
    }


def test_what_the_metrics_need_is_named(evaluate, monkeypatch: pytest.MonkeyPatch) -> None:
    from rnncodec.commands import evaluate as module

    monkeypatch.setattr(module.importlib.util, "find_spec", lambda _: None)
    done = evaluate("--baselines", "jpeg-420")
    assert done.code == 2
    assert "needs psnr_hvsm; run: pip install 'rnncodec[eval]'" in done.err
