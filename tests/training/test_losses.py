"""The losses are their formulas, have gradients where they should, and notice what they claim."""

from pathlib import Path

import numpy as np
import pytest
import torch
from hydra.utils import instantiate
from numpy.lib.stride_tricks import sliding_window_view
from omegaconf import OmegaConf
from skimage.metrics import structural_similarity

from rnncodec.images.distortion import local_similarity, three_scales
from rnncodec.training.losses import L1MSSSIM, SSIMWeighted

LOSSES = sorted(path.stem for path in Path("conf/loss").glob("*.yaml"))


def pair(size: int = 64, noise: float = 0.1) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    x = torch.rand(2, 3, size, size, generator=generator, dtype=torch.float64) - 0.5
    return x, x + noise * torch.randn(x.shape, generator=generator, dtype=torch.float64)


@pytest.mark.parametrize("name", LOSSES)
def test_contract(name: str) -> None:
    loss = instantiate(OmegaConf.load(f"conf/loss/{name}.yaml"))
    x, y = pair()
    assert loss(x, x).item() == pytest.approx(0, abs=1e-6), "nothing is wrong with the original"
    values = [loss(x, x + scale * (y - x)).item() for scale in (0.1, 0.5, 1.0)]
    assert values == sorted(values), "more noise is worse"
    y.requires_grad_()
    loss(x, y).backward()
    assert y.grad is not None
    assert torch.isfinite(y.grad).all()
    assert (y.grad != 0).any(dim=1).float().mean() > 0.9, "it reaches nearly every pixel"


def windows(image: np.ndarray) -> np.ndarray:
    """(H, W) -> (h, w, 8, 8), four pixels apart."""
    return sliding_window_view(image, (8, 8))[::4, ::4]


def reference_similarity(a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """SSIM and its contrast-structure factor for images (H, W) in [0, 1], by hand."""
    va, vb = windows(a), windows(b)
    ma, mb = va.mean((2, 3)), vb.mean((2, 3))
    cov = (va * vb).mean((2, 3)) - ma * mb
    cs = (2 * cov + 9e-4) / (va.var((2, 3)) + vb.var((2, 3)) + 9e-4)
    return (2 * ma * mb + 1e-4) / (ma**2 + mb**2 + 1e-4) * cs, cs


def test_similarity_is_that_of_scikit_image() -> None:
    x, y = pair(32)
    ssim, cs = local_similarity(x, y)
    a, b = (image[0, 0].numpy() + 0.5 for image in (x, y))
    # odd windows only, there: so by hand over 8x8, and theirs over 7x7 must be near
    expected = reference_similarity(a, b)
    np.testing.assert_allclose(ssim[0, 0].numpy(), expected[0], rtol=1e-6)
    np.testing.assert_allclose(cs[0, 0].numpy(), expected[1], rtol=1e-6)
    theirs = structural_similarity(a, b, data_range=1.0, use_sample_covariance=False)
    assert ssim[0, 0].mean().item() == pytest.approx(theirs, abs=0.01)


def half_noisy() -> tuple[torch.Tensor, torch.Tensor]:
    """Pictures of 24x32, and the same with some noise, much more of it in the left half."""
    x, y = (image[..., :24, :32] for image in pair())
    share = torch.where(torch.arange(32) < 16, 1.0, 0.02).double()
    return x, x + share * (y - x)


def reference_weight(x: torch.Tensor, y: torch.Tensor) -> np.ndarray:
    """1 - SSIM of every pixel, between the centres of its neighbours' windows: (B, C, H, W)."""

    def along(rows: np.ndarray, side: int) -> np.ndarray:
        centres = 4 * np.arange(rows.shape[1]) + 3.5
        return np.stack([np.interp(np.arange(side), centres, row) for row in rows])

    def of_plane(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        wrong = 1 - reference_similarity(a + 0.5, b + 0.5)[0]
        return along(along(wrong, a.shape[1]).T, a.shape[0]).T

    planes = zip(x.flatten(0, 1).numpy(), y.flatten(0, 1).numpy(), strict=True)
    return np.stack([of_plane(a, b) for a, b in planes]).reshape(x.shape)


def test_the_weight_is_large_where_structure_is_lost_and_has_a_mean_of_one() -> None:
    x, y = half_noisy()
    weight = reference_weight(x, y)
    assert weight[..., 2:14].min() > weight[..., 20:].max(), "the reference itself"
    expected = (weight / weight.mean() * np.abs((x - y).numpy())).mean()
    assert SSIMWeighted()(x, y).item() == pytest.approx(expected, rel=1e-9)


def test_no_gradient_flows_through_the_weight() -> None:
    x, y = half_noisy()
    weight = reference_weight(x, y)
    y.requires_grad_()
    SSIMWeighted()(x, y).backward()
    assert y.grad is not None
    expected = weight / weight.mean() * np.sign((y - x).detach().numpy()) / x.numel()
    np.testing.assert_allclose(y.grad.numpy(), expected, rtol=1e-9)


@pytest.mark.parametrize("size", [32, 64])
def test_three_scales_are_a_product_of_three(size: int) -> None:
    x, y = pair(size)

    def factor(a: np.ndarray, b: np.ndarray, scale: int) -> float:
        """Of an image (3, H, W) in [0, 1]: structure, and at the last scale brightness, too."""
        shape = (3, size >> scale, 1 << scale, size >> scale, 1 << scale)
        a, b = (image.reshape(shape).mean((2, 4)) for image in (a, b))
        maps = [reference_similarity(*planes) for planes in zip(a, b, strict=True)]
        ssim, cs = np.mean(maps, axis=(0, 2, 3))
        return ssim if scale == 2 else cs

    images = zip(x.numpy() + 0.5, y.numpy() + 0.5, strict=True)
    expected = [np.prod([factor(a, b, s) for s in range(3)]) ** (1 / 3) for a, b in images]
    assert three_scales(x, y).item() == pytest.approx(np.mean(expected), rel=1e-9)


def test_structure_weighs_more_than_brightness() -> None:
    x, _ = pair()
    lighter = x + 0.02
    noisy = x + 0.02 * torch.sign(torch.randn_like(x))
    loss = L1MSSSIM()
    assert (x - lighter).abs().mean().item() == pytest.approx((x - noisy).abs().mean().item())
    assert loss(x, lighter) < loss(x, noisy)


def test_opposites_score_lowest_with_a_finite_gradient() -> None:
    x, _ = pair()
    y = (-x).requires_grad_()
    score = three_scales(x, y)
    score.backward()
    assert score.item() < 0.1
    assert y.grad is not None
    assert torch.isfinite(y.grad).all()
