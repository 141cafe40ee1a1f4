"""Layers, widths and the binarizer of the network; descriptions that build it again."""

from functools import partial

import numpy as np
import pytest
import torch
from torch import nn

from rnncodec.errors import ConfigError
from rnncodec.network.autoencoder import Binarizer, Network
from rnncodec.network.cells.assoc_lstm import AssociativeLSTM
from rnncodec.network.cells.gru_resnet import GRUResNet
from rnncodec.network.cells.lstm import LSTM
from rnncodec.network.recon.additive import Additive
from rnncodec.network.recon.scaled_additive import ScaledAdditive


def convs(module: nn.Module) -> list[tuple[int, int, int, int]]:
    return [
        (c.in_channels, c.out_channels, c.kernel_size[0], c.stride[0])
        for c in module.modules()
        if isinstance(c, nn.Conv2d)
    ]


def test_paper_layer_table() -> None:
    network = Network(LSTM, Additive, width=1.0)
    assert convs(network.encoder) == [
        (3, 64, 3, 2),
        *[(64, 4 * 256, 3, 2), (256, 4 * 256, 1, 1)],
        *[(256, 4 * 512, 3, 2), (512, 4 * 512, 1, 1)],
        *[(512, 4 * 512, 3, 2), (512, 4 * 512, 1, 1)],
    ]
    assert convs(network.binarizer) == [(512, 32, 1, 1)]
    assert convs(network.decoder) == [
        (32, 512, 1, 1),
        *[(512, 4 * 512, 3, 1), (512, 4 * 512, 1, 1)],
        *[(128, 4 * 512, 3, 1), (512, 4 * 512, 1, 1)],
        *[(128, 4 * 256, 3, 1), (256, 4 * 256, 3, 1)],
        *[(64, 4 * 128, 3, 1), (128, 4 * 128, 3, 1)],
        (32, 3, 1, 1),
    ]


@pytest.mark.parametrize("width", [0.125, 0.25, 0.5])
def test_any_width_maps_an_image_to_its_own_size(width: float) -> None:
    network = Network(GRUResNet, Additive, width=width)
    features, _ = network.encoder(torch.zeros(1, 3, 16, 48))
    code = network.binarizer(features)
    picture, _ = network.decoder(code)
    assert features.shape == (1, 512 * width, 1, 3)
    assert code.shape == (1, 32, 1, 3)
    assert picture.shape == (1, 3, 16, 48)


@pytest.mark.parametrize("width", [0.3, 0.0, 0.01, 0.0625])
def test_widths_that_give_fractional_channels_are_refused(width: float) -> None:
    with pytest.raises(ConfigError, match=r"width=.*0\.125 \(tiny\)"):
        Network(LSTM, Additive, width=width)


@pytest.mark.parametrize("width", [-0.5, 4.125, 1e7, float("nan"), "1", True])
def test_impossible_widths_are_refused(width: float) -> None:
    with pytest.raises(ConfigError, match=r"width=.*: expected (0 to 4|a number)"):
        Network(LSTM, Additive, width=width)


@pytest.mark.parametrize("iterations", [0, -1, 256, 2.0, True])
def test_impossible_iterations_are_refused(iterations: int) -> None:
    with pytest.raises(ConfigError, match="iterations="):
        Network(LSTM, Additive, width=0.125, iterations=iterations)


def test_associative_lstm_leaves_the_encoder_to_a_plain_one() -> None:
    network = Network(AssociativeLSTM, Additive, width=0.125)
    assert {type(cell) for cell in network.encoder.cells} == {LSTM}
    assert {type(cell) for cell in network.decoder.cells} == {AssociativeLSTM}


def test_binarizer_takes_the_sign_and_zero_is_positive() -> None:
    binarizer = Binarizer(1)
    nn.init.zeros_(binarizer.conv.weight)
    nn.init.ones_(binarizer.conv.weight[0])
    code = binarizer(torch.tensor([-2.0, 0.0, 3.0]).view(1, 1, 1, 3))
    assert code[0, 0, 0].tolist() == [-1.0, 1.0, 1.0]
    assert code[0, 1].unique().tolist() == [1.0]


def test_binarizer_is_unbiased_and_its_gradient_goes_straight_through() -> None:
    binarizer = Binarizer(1)
    x = torch.linspace(-2, 2, 5).view(5, 1, 1, 1).requires_grad_()
    p = torch.tanh(binarizer.conv(x))
    rng = np.random.default_rng(0)
    draws = 4000
    total = torch.zeros(5, 32, 1, 1)
    for _ in range(draws // 100):
        noise = torch.from_numpy(rng.random((100, 5, 32, 1, 1), dtype=np.float32))
        total += sum(binarizer(x, one).detach() for one in noise)
    assert (total / draws - p.detach()).abs().max() < 6 / draws**0.5
    code = binarizer(x, torch.rand(5, 32, 1, 1))
    assert set(code.detach().unique().tolist()) <= {-1.0, 1.0}
    (gradient,) = torch.autograd.grad(code.sum(), x)
    (expected,) = torch.autograd.grad(p.sum(), x)
    torch.testing.assert_close(gradient, expected)


def test_description_builds_the_same_network_again() -> None:
    network = Network(
        partial(GRUResNet, alpha=0.2),
        partial(ScaledAdditive, channels=8),
        width=0.25,
        iterations=3,
    )
    again = Network.from_config(network.config)
    assert again.config == network.config
    assert again.decoder.cells[0].alpha == 0.2
    again.load_state_dict(network.state_dict())


def test_extra_runs_are_described_only_where_there_are_some() -> None:
    plain = Network(LSTM, Additive, width=0.125, priming=0, diffusion=0)
    assert plain.config.keys() == {"cell", "recon", "width", "iterations"}
    network = Network(LSTM, Additive, width=0.125, priming=3, diffusion=1)
    again = Network.from_config(network.config)
    assert (again.priming, again.diffusion) == (3, 1)
    assert again.config == network.config == plain.config | {"priming": 3, "diffusion": 1}
    again.load_state_dict(plain.state_dict())


def test_hidden_kernels_are_described_only_where_they_are_not_the_papers() -> None:
    assert "hidden_kernels" not in Network(LSTM, Additive, width=0.125).config
    network = Network(LSTM, Additive, width=0.125, hidden_kernels=[1, 1, 1, 1])
    assert network.config["hidden_kernels"] == [1, 1, 1, 1]
    again = Network.from_config(network.config)
    again.load_state_dict(network.state_dict())
    hidden = [cell.get_submodule("U") for cell in again.decoder.cells]
    assert [conv.kernel_size for conv in hidden if isinstance(conv, nn.Conv2d)] == [(1, 1)] * 4


@pytest.mark.parametrize("kernels", [[1, 1, 3], [1, 1, 3, 5], [1, 1, 3, True], 3, "1133", None])
def test_impossible_hidden_kernels_are_refused(kernels: object) -> None:
    with pytest.raises(ConfigError, match=r"hidden_kernels=.*: expected 4 sides, each 1 or 3"):
        Network(LSTM, Additive, width=0.125, hidden_kernels=kernels)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["priming", "diffusion"])
@pytest.mark.parametrize("runs", [-1, 17, 1.0, True])
def test_impossible_extra_runs_are_refused(name: str, runs: int) -> None:
    with pytest.raises(ConfigError, match=f"{name}="):
        Network(LSTM, Additive, width=0.125, **{name: runs})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"cell": {"name": "os"}}, r"cells: no 'os'; choose one of assoc_lstm, gru"),
        ({"cell": {"name": "../gru"}}, "choose one of"),
        ({"recon": {"name": "additive", "colour": 1}}, "not understood"),
        ({"width": "wide"}, "width='wide': expected a number"),
        ({"iterations": None}, "expected a whole number"),
        ({"priming": 10**9}, "priming=1000000000: expected 0 to 16"),
        ({"diffusion": None}, "expected a whole number"),
    ],
)
def test_foreign_descriptions_are_refused(change: dict, message: str) -> None:
    config = Network(LSTM, Additive, width=0.125).config | change
    with pytest.raises(ConfigError, match=message):
        Network.from_config(config)
