import math

import numpy as np
import psnr_hvsm
import pytest
import torch
from numpy.typing import NDArray
from scipy.fft import dctn
from tests.evaluation.contrast import CSF

from rnncodec.errors import DataError
from rnncodec.evaluation import metrics
from rnncodec.evaluation.metrics import defined, described, luma, psnr_rgb, with_decibel_of

Image = NDArray[np.uint8]


def picture(height: int, width: int, seed: int = 0) -> Image:
    """Smooth waves and noise, (H, W, 3)."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width]
    waves = [120 + 60 * np.sin(x / (5 + c)) + 40 * np.cos(y / (9 - c)) for c in range(3)]
    return quantize(np.stack(waves, axis=-1) + rng.normal(0, 12, (height, width, 3)))


def noisy(image: Image, sigma: float, seed: int = 1) -> Image:
    return quantize(image + np.random.default_rng(seed).normal(0, sigma, image.shape))


def quantize(values: NDArray[np.float64]) -> Image:
    return np.clip(np.round(values), 0, 255).astype(np.uint8)


def tensor(*images: Image) -> torch.Tensor:
    return torch.from_numpy(np.stack(images)).movedim(-1, 1)


def test_psnr_is_the_formula_image_by_image() -> None:
    a, b = picture(20, 30), picture(20, 30, seed=5)
    pair = tensor(a, b), tensor(noisy(a, 3), noisy(b, 20))
    expected = [
        10 * np.log10(255**2 / np.mean((r.numpy().astype(float) - t.numpy()) ** 2))
        for r, t in zip(*pair, strict=True)
    ]
    np.testing.assert_allclose(metrics.psnr_rgb(*pair), expected, rtol=1e-12)
    assert expected[0] > expected[1] + 10


@pytest.mark.parametrize("metric", ["psnr_rgb", "psnr_hvs", "psnr_hvs_m"])
def test_decibels_of_a_perfect_picture_are_infinite(metric: str) -> None:
    image = tensor(picture(16, 16))
    assert metrics.METRICS[metric](image, image).tolist() == [math.inf]


@pytest.mark.parametrize("metric", sorted(metrics.METRICS))
def test_autocast_does_not_reach_it(metric: str) -> None:
    image = picture(176, 176)
    pair = tensor(image), tensor(noisy(image, 20))
    outside = metrics.METRICS[metric](*pair)
    with torch.autocast("cpu", torch.bfloat16):
        inside = metrics.METRICS[metric](*pair)
    assert inside.dtype == torch.float64
    assert inside.tolist() == outside.tolist()


@pytest.mark.parametrize("metric", ["ssim", "ms_ssim"])
def test_similarity_of_a_perfect_picture_is_one(metric: str) -> None:
    image = tensor(picture(176, 176))
    assert metrics.METRICS[metric](image, image).item() == pytest.approx(1, abs=1e-12)


def test_ms_ssim_of_a_batch_is_one_value_per_image() -> None:
    a = picture(176, 176)
    values = metrics.ms_ssim(tensor(a, a), tensor(noisy(a, 5), noisy(a, 50)))
    alone = metrics.ms_ssim(tensor(a), tensor(noisy(a, 50)))
    assert values.shape == (2,)
    assert values.dtype == torch.float64
    assert values[1].item() == pytest.approx(alone.item(), abs=1e-12)
    assert values[0] > values[1] + 0.01


@pytest.mark.parametrize(("height", "width"), [(64, 48), (67, 55)])
def test_psnr_hvs_agrees_with_the_reference_backend(height: int, width: int) -> None:
    a = picture(height, width)
    b = noisy(a, 9)
    numpy = psnr_hvsm.BACKENDS["numpy"]
    y, z = (numpy["bt601ycbcr"](image)[0][:64, :48] for image in (a, b))
    expected = numpy["psnr_hvs_hvsm"](y, z)
    got = [m(tensor(a), tensor(b)).item() for m in (metrics.psnr_hvs, metrics.psnr_hvs_m)]
    np.testing.assert_allclose(got, expected, rtol=1e-9)


def test_psnr_hvs_of_one_tile_by_hand() -> None:
    # White with one black pixel: the DCT of the difference is known, and so is each weight.
    a = np.full((8, 8, 3), 255, np.uint8)
    b = a.copy()
    b[2, 5] = 0
    difference = np.zeros((8, 8))
    difference[2, 5] = (235 - 16) / 255
    expected = -10 * np.log10(np.mean((dctn(difference, norm="ortho") * CSF) ** 2))
    assert metrics.psnr_hvs(tensor(a), tensor(b)).item() == pytest.approx(expected, abs=1e-9)


def test_the_luma_is_the_metric_packages_own() -> None:
    image = np.random.default_rng(0).integers(0, 256, (40, 40, 3), dtype=np.uint8)
    expected = psnr_hvsm.BACKENDS["numpy"]["bt601ycbcr"](image)[0] * 255
    np.testing.assert_allclose(metrics.luma(tensor(image))[0], expected, atol=1e-9)


def test_the_first_use_of_psnr_hvs_prints_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    metrics.hvs_backend.cache_clear()
    metrics.psnr_hvs(tensor(picture(8, 8)), tensor(picture(8, 8)))
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("metric", "side"), [("ssim", 11), ("ms_ssim", 176), ("psnr_hvs", 8), ("psnr_hvs_m", 8)]
)
def test_the_smallest_side_is_exactly_that(metric: str, side: int) -> None:
    function = metrics.METRICS[metric]
    image, small = tensor(picture(side, side + 9)), tensor(picture(side - 1, side + 9))
    assert math.isfinite(function(image, tensor(noisy(picture(side, side + 9), 20))).item())
    assert not metrics.defined(metric, side - 1, side + 9)
    with pytest.raises(DataError, match=f"{metric} needs sides of at least {side} pixels"):
        function(small, small)


def test_a_metric_refuses_images_of_two_sizes() -> None:
    with pytest.raises(DataError, match=r"reference is \(1, 3, 8, 9\), the test image \(1, 3"):
        metrics.psnr_rgb(tensor(picture(8, 9)), tensor(picture(8, 8)))


def test_a_metric_refuses_pixels_that_were_not_rounded() -> None:
    image = tensor(picture(8, 8))
    with pytest.raises(DataError, match=r"expected rounded 8-bit pixels, .* got torch.float32"):
        metrics.psnr_rgb(image, image.float())


def test_what_the_small_functions_give() -> None:
    black, white = (torch.full((1, 3, 4, 4), value, dtype=torch.uint8) for value in (0, 255))
    assert psnr_rgb(black, white).tolist() == [0.0]
    assert psnr_rgb(black, white).dtype == torch.float64
    assert luma(white)[0, 0, 0].item() == 235.0
    assert described("vif").heading == "vif"
    assert with_decibel_of(["psnr_rgb", "ms_ssim", "psnr_hvs"]) == [
        *("psnr_rgb", "ms_ssim", "ms_ssim_db", "psnr_hvs")
    ]
    assert (defined("ms_ssim", 512, 768), defined("ms_ssim", 175, 768)) == (True, False)
