import csv
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from rnncodec.errors import DataError, StorageError
from rnncodec.evaluation.evaluate import Pixels, Sheet, evaluate, nominal_samples
from rnncodec.evaluation.rate_distortion import Point

FLAT = np.full((12, 16, 3), 100, np.uint8)
RAMP = np.tile(np.arange(0, 160, 10, dtype=np.uint8)[None, :, None], (9, 1, 3))


def brighter(image: Pixels) -> Iterator[tuple[float, Pixels]]:
    """A toy codec: three iterations, off by 5, 2 and 1 levels."""
    for k, error in enumerate((5, 2, 1), start=1):
        yield k / 8, image + np.uint8(error)


def test_a_toy_codec_gives_the_expected_files(tmp_path: Path) -> None:
    out, seen = tmp_path / "run" / "evaluation", list[Point]()
    images = [("flat.png", FLAT), ("ramp.png", RAMP)]
    summary = evaluate(brighter, images, out, progress=False, on_point=seen.append)

    names = ["rd.csv", "rd.png", "reconstructions.png", "summary.json"]
    assert sorted(path.name for path in out.iterdir()) == names
    assert json.loads((out / "summary.json").read_text()) == summary
    assert (summary["images"], summary["iterations"], summary["auc"]) == (2, 3, {})

    rows = list(csv.DictReader((out / "rd.csv").read_text().splitlines()))
    assert [(row["image"], row["iteration"], row["bpp"]) for row in rows] == [
        (name, str(k), str(k / 8)) for name, _ in images for k in (1, 2, 3)
    ]
    psnr = [10 * np.log10(255**2 / error**2) for error in (5, 2, 1)]
    np.testing.assert_allclose([float(row["psnr_rgb"]) for row in rows], psnr * 2, rtol=1e-12)
    # Of a flat pair, SSIM is its luminance term. A ramp 9 pixels high has no 11x11 window.
    c1 = (0.01 * 255) ** 2
    luminance = [(2 * 100 * y + c1) / (100**2 + y**2 + c1) for y in (105, 102, 101)]
    np.testing.assert_allclose([float(row["ssim"]) for row in rows[:3]], luminance, rtol=1e-5)
    assert [row["ssim"] for row in rows[3:]] == [""] * 3
    assert {row["ms_ssim"] for row in rows} == {""}
    # A flat difference is all DC: luma moves by 4, 2 and 1 codes (219/255 of 5, 2, 1, rounded).
    hvs = [-10 * np.log10((8 * y / 255 * 1.608443) ** 2 / 64) for y in (4, 2, 1)]
    np.testing.assert_allclose([float(row["psnr_hvs"]) for row in rows[:3]], hvs, rtol=1e-6)
    assert [point.iteration for point in seen] == [1, 2, 3, 1, 2, 3]


def test_no_images_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="expected at least one image, got none"):
        evaluate(brighter, [], tmp_path, progress=False)


def test_a_reconstruction_of_another_size_is_an_error(tmp_path: Path) -> None:
    def crop(image: Pixels) -> Iterator[tuple[float, Pixels]]:
        yield 0.125, image[1:]

    with pytest.raises(DataError, match=r"\(1, 3, 12, 16\), the test image \(1, 3, 11, 16\)"):
        evaluate(crop, [("a", FLAT)], tmp_path, progress=False)


def test_a_file_in_the_place_of_the_directory_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("")
    with pytest.raises(StorageError, match=r"rd\.csv: could not be written"):
        evaluate(brighter, [("a", FLAT)], tmp_path / "out", progress=False)


def test_the_sheet_keeps_powers_of_two_and_the_last_iteration() -> None:
    sheet = Sheet("a", FLAT)
    for k in range(1, 12):
        sheet.add(Point("a", k, k / 8, 30.0, 0.9, 0.95, 31.0, 32.0), FLAT)
    titles = [title for title, _, _ in sheet.row().cells]
    assert titles == [f"iteration {k}" for k in (1, 2, 4, 8, 11)]
    assert sheet.row().cells[0][2] == "0.125 bpp\nMS-SSIM 0.9500"


def test_nominal_rate_is_an_eighth_of_a_bit_per_iteration() -> None:
    points = [
        Point(
            image, t, 0.1 * t, psnr_rgb=20.0 + t, ssim=0.5, ms_ssim=None, psnr_hvs=t, psnr_hvs_m=t
        )
        for image in ("a", "b")
        for t in (1, 2, 3)
    ]
    nominal = nominal_samples(points)
    assert nominal["psnr_rgb"] == [(0.125, 21.0), (0.25, 22.0), (0.375, 23.0)]
    assert "ms_ssim" not in nominal
