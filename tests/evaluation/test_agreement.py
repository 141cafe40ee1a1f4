"""Every metric agrees with an implementation that shares no code with it, on six photographs."""

from functools import cache
from importlib.resources import files
from io import BytesIO

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image
from scipy.fft import dctn
from skimage.metrics import peak_signal_noise_ratio, structural_similarity
from tests.evaluation.contrast import CSF
from torchmetrics.functional.image import multiscale_structural_similarity_index_measure

from rnncodec.evaluation.metrics import METRICS
from rnncodec.images.similarity import similarity

Array = NDArray[np.float64]
PHOTOGRAPHS = {
    "astronaut.png": 90,
    "chelsea.png": 60,
    "coffee.png": 30,
    "motorcycle_left.png": 12,
    "rocket.jpg": 5,
    "ihc.png": 2,
}
"""Photographs inside scikit-image, and the quality of the JPEG that each is compared with."""

SIDE = 184


@cache
def pair(name: str) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """The middle of a photograph, and what JPEG makes of it."""
    with Image.open(str(files("skimage") / "data" / name)) as image:
        left, top = ((side - SIDE) // 2 for side in image.size)
        crop = image.convert("RGB").crop((left, top, left + SIDE, top + SIDE))
    file = BytesIO()
    crop.save(file, "JPEG", quality=PHOTOGRAPHS[name])
    return np.asarray(crop), np.asarray(Image.open(file).convert("RGB"))


def tensors(name: str) -> list[torch.Tensor]:
    return [torch.from_numpy(image.copy()).movedim(-1, 0)[None] for image in pair(name)]


def ours(metric: str, name: str) -> float:
    return METRICS[metric](*tensors(name)).item()


@pytest.fixture(params=PHOTOGRAPHS)
def photograph(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_psnr_is_scikit_images(photograph: str) -> None:
    expected = peak_signal_noise_ratio(*pair(photograph), data_range=255)
    assert ours("psnr_rgb", photograph) == pytest.approx(expected, abs=1e-9)


def test_ssim_is_scikit_images_wherever_the_window_lies_inside(photograph: str) -> None:
    _, expected = structural_similarity(
        *(image.astype(float) for image in pair(photograph)),
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
        data_range=255,
        channel_axis=-1,
        full=True,
    )
    whole, _ = similarity(*(image.double() for image in tensors(photograph)))
    inside = whole[0].movedim(0, -1).numpy()[5:-5, 5:-5]
    np.testing.assert_allclose(inside, expected[5:-5, 5:-5], atol=1e-9)
    assert ours("ssim", photograph) == pytest.approx(whole.mean().item(), abs=1e-12)


def test_ms_ssim_is_torchmetrics_in_float64(photograph: str) -> None:
    a, b = (image.double() for image in tensors(photograph))
    expected = multiscale_structural_similarity_index_measure(b, a, data_range=255.0).item()
    assert ours("ms_ssim", photograph) == pytest.approx(expected, abs=1e-7)


def test_psnr_hvs_and_hvs_m_are_their_papers(photograph: str) -> None:
    # A luma halfway between two codes may be rounded to either: once in these images, 0.0002 dB.
    plain, masked = hvs(*(luma(image) for image in pair(photograph)))
    assert ours("psnr_hvs", photograph) == pytest.approx(plain, abs=1e-3)
    assert ours("psnr_hvs_m", photograph) == pytest.approx(masked, abs=1e-3)


def luma(image: NDArray[np.uint8]) -> Array:
    """BT.601, 8 bits with head- and footroom."""
    weights = np.array([65.481, 128.553, 24.966]) / 255
    return np.round(16 + image @ weights)


MASK = (CSF / CSF.max()) ** 2


def hvs(a: Array, b: Array) -> tuple[float, float]:
    """PSNR-HVS and PSNR-HVS-M, tile by tile and coefficient by coefficient."""
    plain, masked = [], []
    for y in range(0, a.shape[0], 8):
        for x in range(0, a.shape[1], 8):
            tiles = [image[y : y + 8, x : x + 8] for image in (a, b)]
            spectra = [dctn(tile, norm="ortho") for tile in tiles]
            hidden = max(masking(*both) for both in zip(tiles, spectra, strict=True)) / MASK
            hidden[0, 0] = 0
            error = np.abs(spectra[0] - spectra[1])
            plain.append((error * CSF) ** 2)
            masked.append((np.maximum(error - hidden, 0) * CSF) ** 2)
    return tuple(10 * np.log10(255**2 / np.mean(errors)) for errors in (plain, masked))


def masking(tile: Array, spectrum: Array) -> float:
    """How much error the texture of a tile hides."""
    energy = (spectrum**2 * MASK).sum() - spectrum[0, 0] ** 2 * MASK[0, 0]
    spread = tile.var(ddof=1) * 64
    if spread == 0:
        return 0.0
    quarters = [tile[i : i + 4, j : j + 4].var(ddof=1) * 16 for i in (0, 4) for j in (0, 4)]
    return float(np.sqrt(energy * sum(quarters) / spread) / 32)
