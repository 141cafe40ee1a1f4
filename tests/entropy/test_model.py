from pathlib import Path

import pytest
import torch

from rnncodec.entropy import bits_per_bit, model_class
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
