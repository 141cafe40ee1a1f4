import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from rnncodec import bitstream
from rnncodec.codec import Codec
from rnncodec.errors import DataError, StorageError
from rnncodec.evaluation.codecs import EvaluatedModel, images_in
from rnncodec.evaluation.curves import NOMINAL
from rnncodec.evaluation.evaluate import evaluate_model, sheet_cells
from rnncodec.evaluation.results import Result, read_results
from rnncodec.evaluation.summary import summarize
from rnncodec.images.reading import read_image

FLAT = np.full((12, 16, 3), 100, np.uint8)


@pytest.fixture
def model(tiny_codec: Codec, tmp_path: Path) -> EvaluatedModel:
    path = tmp_path / "run" / "model.safetensors"
    tiny_codec.save(path)
    return EvaluatedModel("tiny", path)


def test_a_model_is_measured_from_the_bytes_of_its_files(
    tiny_codec: Codec, model: EvaluatedModel, gallery: Callable[..., Path], tmp_path: Path
) -> None:
    images, out = images_in(gallery(a=(40, 52), b=(32, 48))), tmp_path / "out"
    summary = evaluate_model(model, images, out, progress=False)

    assert json.loads((out / "summary.json").read_text()) == summary
    assert {"rd.png", "reconstructions.png", "results.csv"} < {f.name for f in out.iterdir()}
    rows = read_results(out / "results.csv")
    assert [(row.image, row.setting) for row in rows] == [
        (name, f"t={k}") for name in "ab" for k in (1, 2, 3)
    ]
    data = (out / "files/tiny/a.rnc").read_bytes()
    pixels = read_image(images[0].path)
    for row in rows[:3]:
        cut = bitstream.truncate(data, iterations=row.iteration)
        assert (row.bytes, row.bpp) == (len(cut), 8 * len(cut) / (40 * 52))
        picture = np.asarray(tiny_codec.decode(data, iterations=row.iteration)).astype(float)
        error = np.mean((picture - pixels) ** 2)
        assert row.values["psnr_rgb"] == pytest.approx(10 * np.log10(255**2 / error), rel=1e-9)
    assert [row.encode_s is None for row in rows[:3]] == [True, True, False]
    seconds = [row.decode_s for row in rows[:3]]
    assert seconds == sorted(seconds), "of everything up to this iteration"
    assert {row.reason.partition(" needs")[0] for row in rows} == {"ms_ssim"}


def test_the_summary_names_the_model_and_what_failed(
    model: EvaluatedModel, gallery: Callable[..., Path], tmp_path: Path
) -> None:
    images = images_in(gallery(a=(32, 32), broken=None))
    summary = evaluate_model(model, images, tmp_path / "out", progress=False)
    found = {name: summary["model"][name] for name in ("cell", "recon", "entropy")}
    assert found == {"cell": "gru", "recon": "additive", "entropy": "progressive"}
    weights = sum(p.numel() for p in model.codec.model.network.parameters())
    assert summary["model"]["parameters"] == weights
    (failed,) = [each for each in summary["failures"] if each["image"] != "a"]
    assert failed["image"] == "broken"
    assert "cannot read image" in failed["reason"]
    assert len(summary["codecs"][0]["curves"]["psnr_rgb"]) == 3
    assert summary["images"]["psnr_rgb"] == ["a"]


def test_no_images_is_an_error(model: EvaluatedModel, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="expected at least one image, got none"):
        evaluate_model(model, [], tmp_path, progress=False)


def test_nothing_but_failures_is_an_error(
    model: EvaluatedModel, gallery: Callable[..., Path], tmp_path: Path
) -> None:
    images = images_in(gallery(broken=None))
    with pytest.raises(DataError, match=r"none of the 1 images could be coded .* broken: cannot"):
        evaluate_model(model, images, tmp_path / "out", progress=False)
    assert not (tmp_path / "out" / "summary.json").exists()


def test_a_file_in_the_place_of_the_directory_is_an_error(
    model: EvaluatedModel, gallery: Callable[..., Path], tmp_path: Path
) -> None:
    (tmp_path / "out").write_text("")
    images = images_in(gallery(a=(32, 32)))
    with pytest.raises(StorageError, match=r"a\.rnc: could not be written"):
        evaluate_model(model, images, tmp_path / "out", progress=False)


def result(image: str, k: int, bpp: float, psnr: float, ms_ssim: float | None) -> Result:
    values = {"psnr_rgb": psnr, "ssim": 0.9, "psnr_hvs": 31.0, "psnr_hvs_m": 32.0}
    values |= {} if ms_ssim is None else {"ms_ssim": ms_ssim}
    return Result("m", f"t={k}", image, k, 9, bpp, values, None, 0.1)


def test_the_sheet_keeps_powers_of_two_and_the_last_iteration() -> None:
    cells = sheet_cells(iter([(result("a", k, k / 8, 30.0, 0.95), FLAT) for k in range(1, 12)]))
    assert [title for title, _, _ in cells] == [f"iteration {k}" for k in (1, 2, 4, 8, 11)]
    assert cells[0][2] == "0.125 bpp\nMS-SSIM 0.9500"


def test_nominal_rate_is_an_eighth_of_a_bit_per_iteration() -> None:
    points = [result(image, t, 0.1 * t, 20.0 + t, None) for image in ("a", "b") for t in (1, 2, 3)]
    nominal = summarize(points).of("m", NOMINAL).curves
    assert nominal["psnr_rgb"].samples == [(0.125, 21.0), (0.25, 22.0), (0.375, 23.0)]
    assert "ms_ssim" not in nominal
