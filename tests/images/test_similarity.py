import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy.ndimage import correlate1d
from skimage.metrics import structural_similarity
from torchmetrics.functional.image import (
    multiscale_structural_similarity_index_measure,
    structural_similarity_index_measure,
)

from rnncodec.images.similarity import multi_scale, multi_scale_by_channel, similarity

Array = NDArray[np.float64]


def pair(height: int, width: int, sigma: float) -> tuple[Array, Array]:
    """Smooth waves with noise, and the same with more noise; whole numbers, (H, W, 3)."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:height, :width]
    waves = [120 + 60 * np.sin(x / (5 + c)) + 40 * np.cos(y / (9 - c)) for c in range(3)]
    a = np.clip(np.round(np.stack(waves, axis=-1) + rng.normal(0, 12, (height, width, 3))), 0, 255)
    return a, np.clip(np.round(a + rng.normal(0, sigma, a.shape)), 0, 255)


def tensors(*images: Array) -> list[torch.Tensor]:
    return [torch.from_numpy(image).movedim(-1, 0)[None] for image in images]


def wang_2003(a: Array, b: Array) -> float:
    """MS-SSIM in float64, from the paper: separable Gaussian of 11 taps, 2x2 means between scales.

    Contrast-structure factors are averaged where the window lies inside the image, the last
    scale's SSIM over the whole image with reflected borders.
    """
    taps = np.exp(-(np.arange(-5, 6) ** 2) / (2 * 1.5**2))
    taps /= taps.sum()

    def blur(x: Array) -> Array:
        rows = correlate1d(x, taps, axis=0, mode="mirror")
        return correlate1d(rows, taps, axis=1, mode="mirror")

    def halve(x: Array) -> Array:
        x = x[: x.shape[0] // 2 * 2, : x.shape[1] // 2 * 2]
        return (x[::2, ::2] + x[1::2, ::2] + x[::2, 1::2] + x[1::2, 1::2]) / 4

    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    x, y, score = a, b, 1.0
    for scale, weight in enumerate((0.0448, 0.2856, 0.3001, 0.2363, 0.1333)):
        mx, my = blur(x), blur(y)
        cov = blur(x * y) - mx * my
        cs = (2 * cov + c2) / (blur(x * x) - mx**2 + blur(y * y) - my**2 + c2)
        luminance = (2 * mx * my + c1) / (mx**2 + my**2 + c1)
        factor = (luminance * cs).mean() if scale == 4 else cs[5:-5, 5:-5].mean()
        score *= max(factor, 0.0) ** weight
        x, y = halve(x), halve(y)
    return score


def framed(image: Array, grey: float) -> Array:
    """The image under a flat frame that is wider than the window."""
    frame = np.full_like(image, grey)
    frame[12:-12, 12:-12] = image[12:-12, 12:-12]
    return frame


@pytest.mark.parametrize("sigma", [1, 10, 60])
def test_ssim_is_scikit_images(sigma: float) -> None:
    # Under the frames, the two ways to continue an image past its border (ours mirrors around
    # the outermost pixel, scikit-image repeats it) are the same.
    a, b = pair(90, 70, sigma)
    a, b = framed(a, 100), framed(b, 110)
    _, expected = structural_similarity(
        *(a, b),
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
        data_range=255,
        channel_axis=-1,
        full=True,
    )
    ssim, _ = similarity(*tensors(a, b))
    np.testing.assert_allclose(np.moveaxis(ssim[0].numpy(), 0, -1), expected, atol=1e-10)


@pytest.mark.parametrize(("height", "width", "sigma"), [(11, 30, 1), (40, 33, 30)])
def test_ssim_is_torchmetrics_in_float64(height: int, width: int, sigma: float) -> None:
    a, b = tensors(*pair(height, width, sigma))
    expected = structural_similarity_index_measure(a, b, data_range=255.0)
    assert similarity(a, b)[0].mean().item() == pytest.approx(float(expected), abs=1e-7)


@pytest.mark.parametrize(("height", "sigma"), [(176, 1), (203, 10), (190, 60)])
def test_ms_ssim_is_the_papers_and_torchmetrics(height: int, sigma: float) -> None:
    images = pair(height, 181, sigma)
    a, b = tensors(*images)
    library = multiscale_structural_similarity_index_measure(a, b, data_range=255.0)
    value = multi_scale(a, b).item()
    assert value == pytest.approx(wang_2003(*images), abs=1e-12)
    assert value == pytest.approx(library.item(), abs=1e-7)


def test_ms_ssim_by_channel_is_the_same() -> None:
    pairs = [pair(177, 190, sigma) for sigma in (3, 30)]
    a, b = (torch.cat(tensors(*images)).to(torch.uint8) for images in zip(*pairs, strict=True))
    expected = [wang_2003(*images) for images in pairs]
    assert multi_scale_by_channel(a, b).tolist() == pytest.approx(expected, abs=1e-12)


def test_inverted_structure_counts_as_zero_in_ms_ssim() -> None:
    a, _ = tensors(*pair(176, 176, 1))
    assert similarity(a, 255 - a)[0].mean() < -0.1
    assert multi_scale(a, 255 - a).tolist() == [0.0]
    assert multi_scale_by_channel(a.byte(), 255 - a.byte()).tolist() == [0.0]
