"""The three reconstructions differ exactly as their equations say."""

from pathlib import Path

import numpy as np
import pytest
import torch
from hydra.utils import get_class, instantiate
from omegaconf import OmegaConf
from torch import nn
from torch.nn import functional as F

from rnncodec.network import families, recon
from rnncodec.network.autoencoder import Network
from rnncodec.network.cells.gru import GRU
from rnncodec.network.recon import Reconstruction
from rnncodec.network.recon.scaled_additive import ScaledAdditive
from rnncodec.network.unroll import iterate, unroll
from rnncodec.runs.run_settings import leaves

RECONS = sorted(path.stem for path in Path("conf/recon").glob("*.yaml"))


class Toy(nn.Module):
    """A scripted codec: the encoder writes down what it sees, the decoder says given numbers."""

    def __init__(self, recon: nn.Module, outputs: list[float]) -> None:
        super().__init__()
        self.priming = self.diffusion = 0
        self.recon = recon
        self.outputs = outputs
        self.seen: list[torch.Tensor] = []

    def encoder(self, x, states):
        self.seen.append(x)
        return x, states

    def binarizer(self, features, noise):
        return features

    def decoder(self, code, states):
        t = 0 if states is None else states
        return torch.full_like(code, self.outputs[t]), t + 1


def make(name: str) -> nn.Module:
    return instantiate(OmegaConf.load(f"conf/recon/{name}.yaml"))()


def run(name: str):
    toy = Toy(make(name), [0.25, 0.125, -0.5])
    x = torch.full((1, 3, 32, 32), 0.5)
    pictures = [step.x_hat for step in unroll(toy, x, iterations=3)]
    return toy, [p.mean().item() for p in pictures], [s.mean().item() for s in toy.seen]


def test_one_shot_forgets_the_last_picture() -> None:
    _, pictures, seen = run("one_shot")
    assert pictures == [0.25, 0.125, -0.5]
    assert seen == [0.5, 0.5 - 0.25, 0.5 - 0.125]


def test_additive_sums() -> None:
    _, pictures, seen = run("additive")
    assert pictures == [0.25, 0.375, -0.125]
    assert seen == [0.5, 0.25, 0.125]


def test_scheduled_additive_scales_there_and_back() -> None:
    _, pictures, seen = run("scheduled_additive")
    g = [4.0, 4 * 2**0.7, 4 * 3**0.7]
    sums = np.cumsum([0.25 / g[0], 0.125 / g[1], -0.5 / g[2]])
    np.testing.assert_allclose(pictures, sums, rtol=1e-5)
    np.testing.assert_allclose(
        seen, [0.5 * g[0], (0.5 - sums[0]) * g[1], (0.5 - sums[1]) * g[2]], rtol=1e-5
    )


def test_scheduled_one_shot_scales_what_the_encoder_sees_only() -> None:
    _, pictures, seen = run("scheduled_one_shot")
    g = [4.0, 4 * 2**0.7, 4 * 3**0.7]
    assert pictures == [0.25, 0.125, -0.5]
    np.testing.assert_allclose(seen, [0.5 * g[0], 0.25 * g[1], 0.375 * g[2]], rtol=1e-5)


def test_scaled_additive_scales_there_and_back() -> None:
    toy, pictures, seen = run("scaled_additive")
    with torch.no_grad():
        g1 = toy.recon.gain(1, torch.full((1, 3, 32, 32), pictures[0])).mean().item()
        g2 = toy.recon.gain(2, torch.full((1, 3, 32, 32), pictures[1])).mean().item()
    assert g1 > 1
    expected = [0.25, 0.25 + 0.125 / g1, 0.25 + 0.125 / g1 - 0.5 / g2]
    np.testing.assert_allclose(pictures, expected, rtol=1e-5)
    np.testing.assert_allclose(seen, [0.5, 0.25 * g1, (0.5 - pictures[1]) * g2], rtol=1e-5)


def test_gain_network_is_the_one_of_the_paper() -> None:
    recon = ScaledAdditive().double()
    x = torch.randn(2, 3, 64, 96, dtype=torch.float64)
    y = x
    convs = [layer for layer in recon.G if isinstance(layer, nn.Conv2d)]
    assert [(c.kernel_size[0], c.stride[0], c.out_channels) for c in convs] == [
        (3, 2, 32),
        (3, 2, 32),
        (3, 2, 32),
        (3, 2, 32),
        (2, 2, 1),
    ]
    for c in convs:
        y = F.conv2d(y, c.weight, c.bias, stride=2, padding=c.kernel_size[0] % 2)
        y = torch.where(y > 0, y, torch.exp(y) - 1)
    expected = np.kron((y + 2).detach().numpy(), np.ones((32, 32)))
    gain = recon.gain(1, x)
    assert gain is not None
    np.testing.assert_allclose(gain.detach().numpy(), expected, rtol=1e-6)
    assert gain.min() > 1


def test_gain_covers_sizes_that_are_no_multiple_of_a_patch() -> None:
    gain = ScaledAdditive().gain(1, torch.randn(1, 3, 48, 16))
    assert gain is not None
    assert gain.shape == (1, 1, 48, 16)
    assert gain[0, 0, :32].unique().numel() == 1
    assert gain[0, 0, 32:].unique().numel() == 1


@pytest.mark.parametrize("name", RECONS)
def test_contract(name: str) -> None:
    recon = make(name)
    x_hat, decoded = torch.randn(1, 3, 16, 48), torch.randn(1, 3, 16, 48, requires_grad=True)
    gain = recon.gain(0, None)
    first = recon.combine(None, decoded, gain)
    zero = torch.zeros_like(decoded)
    assert torch.equal(first, recon.combine(zero, decoded, gain)), "x_hat_0 = 0"
    gain = recon.gain(1, x_hat)
    recon.combine(x_hat, decoded, gain).sum().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in recon.parameters())


@pytest.mark.parametrize("name", RECONS)
def test_decoding_runs_no_encoder_and_gives_the_same_pictures(name: str) -> None:
    toy = Toy(make(name), [0.25, 0.125, -0.5])
    sent = list(unroll(toy, torch.rand(1, 3, 32, 32) - 0.5, iterations=3))
    looked = len(toy.seen)
    received = list(iterate(toy, lambda t, *_: sent[t].code, 3))
    assert len(toy.seen) == looked
    assert all(torch.equal(a.x_hat, b.x_hat) for a, b in zip(sent, received, strict=True))


@pytest.mark.parametrize("kind", ["additive", "one_shot"])
def test_earlier_names_go_on(kind: str) -> None:
    """Model files keep the earlier word, and with it their fingerprints; settings name either."""
    camel = "".join(map(str.title, kind.split("_")))
    stored = f"rnncodec.network.recon.boosted_{kind}.Boosted{camel}"
    current = get_class(f"rnncodec.network.recon.scheduled_{kind}.Scheduled{camel}")
    assert get_class(stored) is current
    assert families.by_name(recon, Reconstruction, f"boosted_{kind}") is current
    network = Network(GRU, current, width=0.125, iterations=1)
    assert network.config["recon"] == {"name": f"boosted_{kind}"}
    assert type(Network.from_config(network.config).recon) is current
    elsewhere = f"rnncodec.elsewhere.Scheduled{camel}"
    asked, before = ({"recon": {"_target_": path}} for path in (elsewhere, stored))
    assert dict(leaves(asked)) == dict(leaves(before))
    assert make(f"boosted_{kind}").gain(2, None) == make(f"scheduled_{kind}").gain(2, None)
    with pytest.raises(AttributeError, match="no attribute 'boosted'"):
        recon.boosted  # noqa: B018
