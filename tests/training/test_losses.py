"""The losses are their formulas, have gradients where they should, and notice what they claim."""

from pathlib import Path

import numpy as np
import pytest
import torch
from hydra.utils import instantiate
from numpy.lib.stride_tricks import sliding_window_view
from omegaconf import OmegaConf
from skimage.metrics import structural_similarity

from rnncodec.training.losses import L1MSSSIM, SSIMWeighted, local_similarity, three_scales

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


def test_similarity_is_that_of_scikit_image() -> None:
    x, y = pair(32)
    ssim, _ = local_similarity(x, y)
    a, b = (image[0, 0].numpy() + 0.5 for image in (x, y))
    # odd windows only, there: so by hand over 8x8, and theirs over 7x7 must be near
    va, vb = (sliding_window_view(image, (8, 8))[::4, ::4] for image in (a, b))
    ma, mb = va.mean((2, 3)), vb.mean((2, 3))
    cov = (va * vb).mean((2, 3)) - ma * mb
    expected = ((2 * ma * mb + 1e-4) * (2 * cov + 9e-4)) / (
        (ma**2 + mb**2 + 1e-4) * (va.var((2, 3)) + vb.var((2, 3)) + 9e-4)
    )
    np.testing.assert_allclose(ssim[0, 0].numpy(), expected, rtol=1e-6)
    theirs = structural_similarity(a, b, data_range=1.0, use_sample_covariance=False)
    assert ssim[0, 0].mean().item() == pytest.approx(theirs, abs=0.01)


def test_the_weight_has_no_gradient_and_a_mean_of_one() -> None:
    x = torch.zeros(1, 3, 32, 32)
    y = torch.full_like(x, 0.25).requires_grad_()
    loss = SSIMWeighted()(x, y)
    loss.backward()
    assert loss.item() == pytest.approx(0.25, rel=1e-5), "a uniform weight is that of L1"
    assert y.grad is not None
    assert y.grad.sum().item() == pytest.approx(1.0, rel=1e-5)


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
