"""The parts of losses are what they are named for, and a sum of them is that sum."""

import io
import math

import numpy as np
import pytest
import torch
from PIL import Image
from scipy.fft import dctn

from rnncodec.errors import ConfigError
from rnncodec.evaluation.metrics import hvs_backend, psnr_hvs, psnr_rgb
from rnncodec.images.distortion import PARTS, SMALLEST, check_weights, weighted_sum
from rnncodec.images.pixels import from_uint8
from rnncodec.training.losses import Mixed


def pair(height: int = 48, width: int = 64, noise: float = 0.05) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(3)
    x = torch.rand(2, 3, height, width, generator=generator, dtype=torch.float64) - 0.5
    return [x, x + noise * torch.randn(x.shape, generator=generator, dtype=torch.float64)]


def luma(x: torch.Tensor) -> np.ndarray:
    """Unrounded BT.601 luma of (B, 3, H, W) in [-0.5, 0.5], in 16..235, as fractions of 255."""
    r, g, b = (x.double() + 0.5).unbind(dim=1)
    return ((16 + 65.481 * r + 128.553 * g + 24.966 * b) / 255).numpy()


@pytest.mark.parametrize("noise", [0.3, 0.05, 0.005])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_hvs_is_the_reported_metric(noise: float, dtype: torch.dtype) -> None:
    x, y = pair(noise=noise)
    for k in range(2):
        ours = -20 * math.log10(PARTS["hvs"](x[k : k + 1].to(dtype), y[k : k + 1].to(dtype)))
        theirs = -10 * math.log10(hvs_backend().hvs_hvsm_mse(luma(x)[k], luma(y)[k])[0])
        assert ours == pytest.approx(theirs, abs=0.01)


def test_hvs_is_what_is_reported_of_8_bit_pixels_but_for_their_rounded_luma() -> None:
    generator = torch.Generator().manual_seed(0)
    x = torch.randint(20, 235, (1, 3, 45, 67), generator=generator, dtype=torch.uint8)
    y = (x.int() + torch.randint(-20, 21, x.shape, generator=generator)).byte()
    ours = -20 * math.log10(PARTS["hvs"](from_uint8(x).double(), from_uint8(y).double()))
    assert ours == pytest.approx(psnr_hvs(x, y).item(), abs=0.05)


def jpeg_luma_steps() -> np.ndarray:
    """The quantisation steps that libjpeg uses at quality 50, where they are the standard's."""
    file = io.BytesIO()
    Image.new("L", (8, 8)).save(file, "JPEG", quality=50)
    return np.array(Image.open(file).quantization[0]).reshape(8, 8)


def test_hvs_is_its_formula() -> None:
    x, y = pair(16, 24)
    error = luma(x) - luma(y)
    sensitivity = 25.735088 / jpeg_luma_steps()
    blocks = error.reshape(2, 2, 8, 3, 8).transpose(0, 1, 3, 2, 4)
    squares = (dctn(blocks, axes=(-2, -1), norm="ortho") * sensitivity) ** 2
    expected = np.sqrt(squares.mean(axis=(1, 2, 3, 4))).mean()
    assert PARTS["hvs"](x, y).item() == pytest.approx(expected, rel=1e-6)


def test_hvs_leaves_out_what_is_no_whole_block() -> None:
    x, y = pair(21, 35)
    whole = PARTS["hvs"](x[..., :16, :32], y[..., :16, :32])
    assert PARTS["hvs"](x, y).item() == whole.item()


def test_rmse_is_psnr() -> None:
    generator = torch.Generator().manual_seed(0)
    x, y = torch.randint(0, 256, (2, 1, 3, 20, 20), generator=generator, dtype=torch.uint8)
    rmse = PARTS["rmse"](from_uint8(x).double(), from_uint8(y).double()).item()
    assert -20 * math.log10(rmse) == pytest.approx(psnr_rgb(x, y).item(), abs=1e-4)


def test_chroma_sees_what_luma_does_not() -> None:
    x, _ = pair()
    grey = torch.full((3, 1, 1), 0.05, dtype=torch.float64)
    red = torch.tensor([128.553, -65.481, 0], dtype=torch.float64).reshape(3, 1, 1) / 1e3
    assert PARTS["chroma"](x, x + grey).item() == pytest.approx(0, abs=1e-6)
    assert PARTS["hvs"](x, x + red).item() == pytest.approx(0, abs=1e-6)
    cb = (-37.797 * 128.553 + 74.203 * 65.481) / 255 / 1e3
    cr = (112 * 128.553 + 93.786 * 65.481) / 255 / 1e3
    expected = math.sqrt((cb**2 + cr**2) / 2)
    assert PARTS["chroma"](x, x + red).item() == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("name", PARTS)
def test_contract_of_a_part(name: str) -> None:
    part = PARTS[name]
    x, y = pair()
    assert part(x, x).item() == pytest.approx(0, abs=1e-6), "nothing is lost"
    values = [part(x, x + scale * (y - x)).item() for scale in (0.1, 0.5, 1.0)]
    assert values == sorted(values), "more noise is worse"
    same = y.clone().requires_grad_()
    part(x, same).backward()
    assert same.grad is not None
    assert torch.isfinite(same.grad).all()
    perfect = x.clone().requires_grad_()
    part(x, perfect).backward()
    assert perfect.grad is not None
    assert torch.isfinite(perfect.grad).all(), "where nothing is lost, too"
    side = SMALLEST.get(name, 1)
    small, noisy = (image[..., :side, :side] for image in (x, y))
    assert part(small, noisy).item() > 0, "from its smallest side on it is defined"


def test_a_sum_of_parts_is_that_sum() -> None:
    x, y = pair()
    weights = {"hvs": 0.5, "chroma": 2, "l1": 0.25, "ssim_weighted": 0}
    expected = sum(weight * PARTS[name](x, y).item() for name, weight in weights.items())
    assert Mixed(weights)(x, y).item() == pytest.approx(expected, rel=1e-12)


def test_l1_takes_the_place_of_a_part_that_a_picture_is_too_small_for() -> None:
    x, y = pair(16, 40)
    found = weighted_sum(x, y, {"ms_ssim": 0.75, "hvs": 1})
    expected = 0.75 * PARTS["l1"](x, y) + PARTS["hvs"](x, y)
    assert found.item() == pytest.approx(expected.item(), rel=1e-12)


def test_autocast_does_not_reach_it() -> None:
    x, y = (image.float() for image in pair())
    with torch.autocast("cpu", torch.bfloat16):
        inside = weighted_sum(x, y, {"hvs": 1.0, "chroma": 1.0})
    assert inside.dtype == torch.float32
    assert inside.item() == weighted_sum(x, y, {"hvs": 1.0, "chroma": 1.0}).item()


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ({"hsv": 1}, r"loss part 'hsv': expected one of l1, rmse, ms_ssim, .*hvs, chroma"),
        ({"hvs": -1}, "weight of loss part hvs: expected 0 or more, got -1"),
        ({"hvs": "much"}, "weight of loss part hvs: expected 0 or more, got 'much'"),
        ({"hvs": math.nan}, "weight of loss part hvs: expected 0 or more, got nan"),
        ({"hvs": math.inf}, "expected finite numbers, one above 0, got {'hvs': inf}"),
        ({"hvs": 0}, "expected finite numbers, one above 0, got {'hvs': 0}"),
        ({}, "expected finite numbers, one above 0, got {}"),
    ],
)
def test_weights_that_are_none(weights: dict, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        check_weights(weights)
