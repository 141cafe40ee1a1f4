"""The losses are their formulas, have gradients where they should, and notice what they claim."""

from collections.abc import Iterable
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from hydra.utils import instantiate
from numpy.lib.stride_tricks import sliding_window_view
from omegaconf import OmegaConf
from skimage.metrics import structural_similarity
from torch import nn

from rnncodec.entropy.progressive import Progressive
from rnncodec.entropy.rate import slopes
from rnncodec.errors import ConfigError
from rnncodec.images.distortion import local_similarity, ms_ssim
from rnncodec.network.autoencoder import Network
from rnncodec.network.cells.gru import GRU
from rnncodec.network.recon.one_shot import OneShot
from rnncodec.training.codec_module import CodecModule
from rnncodec.training.losses import L1, L1MSSSIM, Rate, SSIMWeighted

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
    assert 1 - ms_ssim(x, y).item() == pytest.approx(np.mean(expected), rel=1e-9)


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
    score = 1 - ms_ssim(x, y)
    score.backward()
    assert score.item() < 0.1
    assert y.grad is not None
    assert torch.isfinite(y.grad).all()


def test_a_rate_makes_the_codes_of_what_brings_little_predictable() -> None:
    torch.manual_seed(0)
    module = CodecModule(
        Network(GRU, OneShot, width=0.125, iterations=3),
        L1(),
        partial(each_at_a_rate, 1e-2),
        seed=0,
        binarizer="sign",
        mean="geometric",
        rate=Rate(Progressive(3, 8), weight=1),
    )
    logged: dict[str, float] = {}
    module.log = lambda name, value, **_: logged.update({name: float(value)})  # type: ignore[method-assign]
    optimizer = module.configure_optimizers()
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    assert len(parameters) == len([*module.network.parameters(), *module.rate.parameters()])  # type: ignore[union-attr]
    batch = {"image": torch.full((4, 3, 32, 32), 90, dtype=torch.uint8), "index": torch.arange(4)}
    batch["image"][1::2] = 200
    seen = []
    for step in range(80):
        optimizer.zero_grad()
        module.training_step(batch, step).backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        seen.append(logged["train/bits_per_bit"])
    assert 0.95 < seen[0] < 1.05
    assert seen[-1] < 0.85


def each_at_a_rate(lr: float, named: Iterable[tuple[str, nn.Parameter]]) -> torch.optim.Optimizer:
    return torch.optim.Adam((parameter for _, parameter in named), lr=lr)


def test_the_price_of_codes_follows_the_curve_of_loss_over_bits() -> None:
    rate = Rate(Progressive(3, 8), weight=0.5)
    codes = torch.ones(2, 3, 32, 2, 2)
    distortions = torch.tensor([1.0, 0.5, 0.25, 0.125])
    cost, bits = rate(codes, distortions)
    assert bits.shape == (3,)
    assert (bits.diff() > 0).all()
    torch.testing.assert_close(cost, 0.5 * slopes(distortions, bits) * bits)
    assert not slopes(distortions.flip(0), bits).any()  # no bit is worth less than nothing


@pytest.mark.parametrize("weight", [0, -1.0, float("inf"), float("nan")])
def test_a_rate_without_a_weight_is_refused(weight: float) -> None:
    with pytest.raises(ConfigError, match=r"rate\.weight=.*expected a positive number"):
        Rate(Progressive(2, 8), weight=weight)


def test_a_checkpoint_of_a_run_with_a_rate_loads_with_and_without_one(tmp_path: Path) -> None:
    network = Network(GRU, OneShot, width=0.125, iterations=2)
    module = CodecModule(
        network, L1(), partial(each_at_a_rate, 1e-3), seed=0, rate=Rate(Progressive(2, 8))
    )
    checkpoint = {"state_dict": module.state_dict(), "network": network.config}
    torch.save(checkpoint, tmp_path / "last.ckpt")
    for rate in (None, Rate(Progressive(2, 8))):
        again = CodecModule.load_from_checkpoint(tmp_path / "last.ckpt", rate=rate)
        for name, value in again.state_dict().items():
            assert torch.equal(value, checkpoint["state_dict"][name]), name
