import json
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from rnncodec.codec import Codec
from rnncodec.evaluation.baselines import BASELINES
from rnncodec.evaluation.codecs import EvaluatedModel, images_in
from rnncodec.evaluation.evaluate_image import EvaluationSpec
from rnncodec.evaluation.report import viewer
from rnncodec.evaluation.report.build import ReportOptions, build_report, intro, tasks
from rnncodec.evaluation.results import Result
from rnncodec.evaluation.runner import run
from rnncodec.evaluation.summary import Summary, summarize
from rnncodec.models.model_file import Model
from rnncodec.network.autoencoder import Network
from rnncodec.network.cells.gru import GRU
from rnncodec.network.recon.additive import Additive


@pytest.fixture(scope="module")
def evaluated(
    tmp_path_factory: pytest.TempPathFactory,
) -> tuple[EvaluationSpec, list[Result], Summary]:
    folder = tmp_path_factory.mktemp("study")
    (folder / "images").mkdir()
    for seed, name in enumerate("ab"):
        noise = np.random.default_rng(seed).integers(0, 256, (6, 8, 3), np.uint8)
        Image.fromarray(noise).resize((64, 48), 3).save(folder / "images" / f"{name}.png")
    (folder / "images" / "torn.png").write_bytes(b"torn")
    torch.manual_seed(0)
    Codec(Model(Network(GRU, Additive, width=0.125, iterations=3))).save(folder / "m.safetensors")
    model = EvaluatedModel("m", folder / "m.safetensors")
    codecs = [model, BASELINES["jpeg-420"], BASELINES["jpeg-444"], BASELINES["jpeg2000"]]
    study = EvaluationSpec([*codecs, BASELINES["webp"]], images_in(folder / "images"), folder)
    results = run(study, progress=False).results
    return study, results, summarize(results, "webp")


def blocks(path: Path) -> dict[str, dict]:
    found = re.findall(r'application/json" id="([^"]*)">(.*?)</script>', path.read_text(), re.S)
    return {name: json.loads(text) for name, text in found}


@pytest.fixture(scope="module")
def written(evaluated: tuple[EvaluationSpec, list[Result], Summary]) -> Path:
    study, results, summary = evaluated
    return build_report(study, results, summary, options=ReportOptions(progress=False))


def test_each_image_shows_our_iterations_as_the_table_has_them(written: Path, evaluated):
    _, results, _ = evaluated
    found = blocks(written)
    assert sorted(found["viewer-data"]["images"]) == ["a", "b"]
    for k, name in enumerate(found["viewer-data"]["images"]):
        rows = [row for row in results if (row.codec, row.image) == ("m", name)]
        shown = found[f"image-{k}"]["sides"]["m"]
        listed = [(picture["size"], picture["bpp"], picture["psnr_rgb"]) for picture in shown]
        assert listed == [(row.bytes, row.bpp, row.values["psnr_rgb"]) for row in rows]


def test_the_first_of_each_format_that_browsers_show_stands_beside_ours(written: Path):
    assert list(blocks(written)["image-0"]["sides"]) == ["m", "jpeg-420", "webp"]


def test_the_other_codecs_files_are_the_largest_that_fit_or_the_smallest():
    image = np.asarray(Image.effect_mandelbrot((96, 64), (-2, -1, 1, 1), 20).convert("RGB"))
    webp = BASELINES["webp"]
    sizes = sorted(len(webp.encode(image, quality)) for quality in webp.ladder)
    found = viewer.baseline_pictures(webp, image, [1, sizes[40], sizes[40] + 1, sizes[-1]])
    assert found[0].size == len(webp.encode(image, webp.ladder[0]))
    assert all(picture.size <= sizes[-1] for picture in found)
    assert [picture.size for picture in found] == sorted({picture.size for picture in found})
    assert found[1].size <= sizes[40]
    assert found[1].ms_ssim is None  # too small an image
    error = np.square(webp.decode(found[1].data).astype(float) - image).mean()
    assert found[1].psnr_rgb == pytest.approx(10 * np.log10(255**2 / error))


def test_a_page_that_tells_the_same_is_left_alone(written: Path, evaluated):
    study, results, summary = evaluated
    before = written.stat().st_mtime_ns
    build_report(study, results, summary, options=ReportOptions(progress=False))
    assert written.stat().st_mtime_ns == before


def test_what_changes_the_page_rewrites_it(evaluated):
    study, results, summary = evaluated
    path = build_report(study, results, summary, options=ReportOptions(show=1, progress=False))
    assert blocks(path)["viewer-data"]["images"] in (["a"], ["b"])
    path = build_report(study, results, summary, options=ReportOptions(show=0, progress=False))
    assert 'id="viewer"' not in path.read_text()


def test_without_a_model_there_is_nothing_to_show(evaluated):
    study, results, _ = evaluated
    formats = EvaluationSpec(study.codecs[1:], study.images, study.folder)
    assert tasks(formats, results, show=6) == []


def test_the_intro_names_codecs_and_counts_images():
    assert intro(["m", "webp"], 1).startswith("m, webp on 1 image, measured by rnncodec ")


def test_the_whole_page_stays_within_its_budget(evaluated, monkeypatch: pytest.MonkeyPatch):
    study, results, summary = evaluated
    options = ReportOptions(progress=False)
    path = build_report(study, results, summary, options=options)
    monkeypatch.setattr(viewer, "BUDGET", path.stat().st_size - 1)
    build_report(study, results, summary, options=options)
    assert len(blocks(path)["viewer-data"]["images"]) == 1
    assert path.stat().st_size <= viewer.BUDGET
    monkeypatch.setattr(viewer, "BUDGET", 1000)
    build_report(study, results, summary, options=options)
    assert 'id="viewer"' not in path.read_text()
    assert "No picture is shown: a single one" in path.read_text()
