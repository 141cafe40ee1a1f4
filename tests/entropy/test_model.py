from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.special import expit

from rnncodec.entropy import bits_per_bit, model_class
from rnncodec.entropy import fixed_point as fp
from rnncodec.entropy.model import (
    Layer,
    LayerSpec,
    before,
    lstm,
    on_codes,
    square,
    windows,
)
from rnncodec.errors import ConfigError, DataError, ModelError

NAMES = sorted(path.stem for path in Path("conf/entropy").glob("*.yaml"))
LEARNING = [name for name in NAMES if name != "none"]


def signs(codes):
    return codes.permute(0, 1, 4, 2, 3) * 2.0 - 1


@pytest.mark.parametrize("name", NAMES)
def test_logits_have_the_shape_of_the_codes(make_model, make_codes, name):
    model = make_model(name)
    codes = signs(make_codes(2, 3, 4, 5))
    assert model(codes).shape == codes.shape
    assert model.name == name
    whole, prefix = model(codes), model(codes[:, :2])
    torch.testing.assert_close(whole[:, :2], prefix)


@pytest.mark.parametrize("name", LEARNING)
@pytest.mark.parametrize("exact", [False, True])
def test_gradient_reaches_each_parameter(make_model, make_codes, name, exact):
    model = make_model(name, scale=1.0)
    codes = signs(make_codes(1, 3, 4, 5))
    bits_per_bit(model(codes, exact=exact), codes).backward()
    silent = [n for n, p in model.named_parameters() if p.grad is None or not p.grad.any()]
    assert silent == []


@pytest.mark.parametrize("name", LEARNING)
@pytest.mark.parametrize("exact", [False, True])
def test_learns_one_batch(make_model, make_codes, name, exact):
    model = make_model(name, iterations=2, hidden=16, scale=1.0)
    codes = signs(make_codes(1, 2, 3, 3))
    optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
    for _ in range(40):
        loss = bits_per_bit(model(codes, exact=exact), codes)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert loss.item() < 0.5


@pytest.mark.parametrize("name", LEARNING)
def test_rounding_changes_little(make_model, make_codes, name):
    model = make_model(name, hidden=16, scale=1.0)
    codes = signs(make_codes(1, 3, 8, 8))
    smooth, exact = model(codes), model(codes, exact=True)
    assert 0 < (smooth - exact).abs().mean() < 0.05 * smooth.abs().mean()


@pytest.mark.parametrize("name", LEARNING)
def test_weights_survive_their_state(make_model, make_codes, name):
    model = make_model(name)
    config = dict(model.config)
    again = model_class(config.pop("name"))(**config)
    again.load_state_dict(model.state_dict())
    codes = signs(make_codes(1, 3, 2, 3))
    assert torch.equal(model(codes), again(codes))


def test_progressive_has_the_papers_size():
    model = model_class("progressive")()
    stored = sum(p.numel() for p in model.parameters())
    masked = 16 * (25 * 32 * 64 + 128 * 256)  # weights that a mask would hold at zero
    assert stored + masked == pytest.approx(5.0e6, rel=0.02)


def test_single_iteration_works_alone(make_model, make_codes):
    codes = signs(make_codes(1, 1, 2, 2))
    assert make_model("progressive", iterations=1)(codes).shape == codes.shape


@pytest.mark.parametrize("shape", [(1, 4, 32, 2, 2), (1, 3, 31, 2, 2), (3, 32, 2, 2)])
def test_other_codes_are_refused(make_model, shape):
    model = make_model("progressive")
    with pytest.raises(DataError, match=r"expected \(B, T <= 3, 32, h, w\)"):
        model(torch.ones(shape))


def test_no_iterations_are_refused():
    none = model_class("none")
    with pytest.raises(ConfigError, match="entropy=none: iterations=0"):
        none(iterations=0)


def test_each_configuration_has_its_module():
    names = [path.stem for path in Path("conf/entropy").glob("*.yaml")]
    assert sorted(model_class(name).__name__ for name in names) == [
        "BinaryRNN",
        "NoEntropy",
        "Progressive",
    ]


@pytest.mark.parametrize("name", ["os", "model", "fixed_point", "..recon", None, 3])
def test_other_names_are_refused_with_those_there_are(name):
    with pytest.raises(ModelError, match=r"\['binary_rnn', 'none', 'progressive'\]"):
        model_class(name)


def test_lstm_is_the_textbook_one():
    rng = np.random.default_rng(0)
    f, i, o, j, c = rng.normal(size=(5, 4))
    pre = np.concatenate([f, i, o, 2 * j])  # the factor of tanh(u) = 2 sigmoid(2u) - 1
    h, cell = lstm(torch.from_numpy(expit(pre)), torch.from_numpy(c), exact=False)
    expected = expit(f) * c + expit(i) * np.tanh(j)
    np.testing.assert_allclose(cell, expected)
    np.testing.assert_allclose(h, expit(o) * np.tanh(expected))


def test_windows_and_a_layer_are_a_convolution():
    x = torch.randn(2, 3, 5, 6, 4)
    weight = torch.randn(7, 4, 3, 3)
    got = windows(x, square(1)) @ weight.permute(2, 3, 1, 0).reshape(36, 7)
    expected = torch.nn.functional.conv2d(x.flatten(0, 1).permute(0, 3, 1, 2), weight, padding=1)
    torch.testing.assert_close(got.view(6, 5, 6, 7), expected.permute(0, 2, 3, 1))


def test_the_mask_is_what_precedes_in_raster_order():
    assert before(1) == [(-1, -1), (-1, 0), (-1, 1), (0, -1)]
    assert len(before(3)) == 24


@pytest.mark.parametrize("scale", [1e-9, 1e-3, 0.1, 1.0, 30.0])
def test_weights_use_seven_bits_and_bias_that_of_the_sum(scale):
    layer = Layer(LayerSpec(2, 9, 3))
    with torch.no_grad():
        layer.weight.mul_(scale)
        layer.bias.normal_()
    weight, exponent, bias = layer.integers()
    largest = weight.abs().amax(dim=1)
    assert (largest <= 127).all()
    assert ((largest >= 63) | (exponent == fp.MAX_EXPONENT)).all()
    step = torch.exp2(-exponent)
    assert ((weight * step.unsqueeze(1) - layer.weight).abs() <= step.unsqueeze(1) / 2).all()
    assert ((bias * step / 128 - layer.bias).abs() <= step / 256).all()


def test_forget_gates_start_open():
    layer = Layer(LayerSpec(1, 8, 8, fp.gate_table))
    assert layer.bias.tolist() == [[1.0, 1.0, 0, 0, 0, 0, 0, 0]]


def test_rounded_layers_still_learn():
    layer = Layer(on_codes(1, 6, 2))
    layer(torch.ones(1, 4, 6), exact=True).sum().backward()
    assert (layer.weight.grad != 0).all()
    assert (layer.bias.grad != 0).all()
