import io

import numpy as np
from PIL import Image

from rnncodec.evaluation.report import viewer
from rnncodec.evaluation.report.viewer import ViewerImage, ViewerPicture
from rnncodec.evaluation.results import Result


def row(image: str, psnr: float | None, ms_ssim: float | None = None) -> Result:
    values = {"psnr_rgb": psnr, "ms_ssim": ms_ssim}
    present = {name: value for name, value in values.items() if value is not None}
    return Result("m", "t=1", image, 1, 9, 0.1, present)


def test_images_are_chosen_from_worst_to_best():
    rows = [row(name, 20.0 + k, 0.99 - 0.1 * k) for k, name in enumerate("abcde")]
    assert viewer.choose(rows, "m", 3) == ["e", "c", "a"]


def test_psnr_orders_where_an_image_has_no_ms_ssim_and_failures_are_passed_over():
    rows = [row("a", 30.0, 0.9), row("b", 20.0), row("broken", None)]
    assert viewer.choose(rows, "m", 6) == ["b", "a"]


def test_a_budget_keeps_both_ends():
    picture = ViewerPicture("q=1", 900, 0.5, None, 30.0, "image/jpeg", bytes(900))
    some = [ViewerImage(name, 8, 8, b"", {"m": [picture]}) for name in "abcde"]
    weight = some[0].weight
    assert weight >= 1200
    assert [image.image for image in viewer.within(some, 3 * weight)] == ["a", "c", "e"]
    assert [image.image for image in viewer.within(some, 2 * weight - 1)] == ["c"]
    assert viewer.within(some, 5 * weight) == some


def test_a_picture_that_is_too_large_by_itself_is_not_kept():
    picture = ViewerPicture("q=1", 900, 0.5, None, 30.0, "image/jpeg", bytes(900))
    assert viewer.within([ViewerImage("a", 8, 8, b"", {"m": [picture]})], 1199) == []


def test_the_original_is_embedded_without_loss_and_fidelity_is_measured():
    pixels = np.random.default_rng(0).integers(0, 256, (40, 30, 3), np.uint8)
    with Image.open(io.BytesIO(viewer.as_webp(pixels, lossless=True))) as opened:
        assert np.array_equal(np.asarray(opened.convert("RGB")), pixels)
    assert viewer.fidelity(pixels, viewer.as_webp(pixels, lossless=True)) == float("inf")
    smooth = np.broadcast_to(np.linspace(0, 255, 64)[:, None, None], (64, 64, 3)).astype(np.uint8)
    assert viewer.fidelity(smooth, viewer.as_webp(smooth)) > 40
