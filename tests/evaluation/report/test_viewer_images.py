import io

import numpy as np
from PIL import Image

from rnncodec.evaluation.report import viewer
from rnncodec.evaluation.report.viewer import Exhibit, Shot
from rnncodec.evaluation.results import Result


def row(image: str, psnr: float | None, ms_ssim: float | None = None) -> Result:
    cells = {
        "ssim": None,
        "psnr_hvs": None,
        "psnr_hvs_m": None,
        "encode_s": None,
        "decode_s": None,
    }
    return Result("m", "t=1", image, 1, 9, 0.1, psnr_rgb=psnr, ms_ssim=ms_ssim, **cells)


def test_images_are_chosen_from_worst_to_best():
    rows = [row(name, 20.0 + k, 0.99 - 0.1 * k) for k, name in enumerate("abcde")]
    assert viewer.choose(rows, "m", 3) == ["e", "c", "a"]


def test_psnr_orders_where_an_image_has_no_ms_ssim_and_failures_are_passed_over():
    rows = [row("a", 30.0, 0.9), row("b", 20.0), row("broken", None)]
    assert viewer.choose(rows, "m", 6) == ["b", "a"]


def test_a_budget_keeps_both_ends():
    shot = Shot("q=1", 900, 0.5, None, 30.0, "image/jpeg", bytes(900))
    some = [Exhibit(name, 8, 8, b"", {"m": [shot]}) for name in "abcde"]
    weight = some[0].weight
    assert weight >= 1200
    assert [kept.image for kept in viewer.within(some, 3 * weight)] == ["a", "c", "e"]
    assert [kept.image for kept in viewer.within(some, 2 * weight - 1)] == ["c"]
    assert viewer.within(some, 5 * weight) == some


def test_a_picture_that_is_too_large_by_itself_is_not_kept():
    shot = Shot("q=1", 900, 0.5, None, 30.0, "image/jpeg", bytes(900))
    assert viewer.within([Exhibit("a", 8, 8, b"", {"m": [shot]})], 1199) == []


def test_the_original_is_embedded_without_loss_and_fidelity_is_measured():
    pixels = np.random.default_rng(0).integers(0, 256, (40, 30, 3), np.uint8)
    with Image.open(io.BytesIO(viewer.lossless(pixels))) as opened:
        assert np.array_equal(np.asarray(opened.convert("RGB")), pixels)
    assert viewer.fidelity(pixels, viewer.lossless(pixels)) == float("inf")
    smooth = np.broadcast_to(np.linspace(0, 255, 64)[:, None, None], (64, 64, 3)).astype(np.uint8)
    assert viewer.fidelity(smooth, viewer.nearly(smooth)) > 40
