"""The iteration itself, on real networks."""

import itertools
from pathlib import Path

import pytest
import torch
from hydra.utils import instantiate
from omegaconf import OmegaConf

from rnncodec.network import Network
from rnncodec.unroll import iterate, unroll

GRID = list(
    itertools.product(
        sorted(path.stem for path in Path("conf/cell").glob("*.yaml")),
        sorted(path.stem for path in Path("conf/recon").glob("*.yaml")),
    )
)


def make(cell: str, recon: str, *, iterations: int) -> Network:
    parts = [OmegaConf.load(f"conf/{group}.yaml") for group in (f"cell/{cell}", f"recon/{recon}")]
    return Network(*map(instantiate, parts), width=0.125, iterations=iterations)


@pytest.mark.parametrize(("cell", "recon"), GRID)
def test_every_combination_overfits_one_batch(cell: str, recon: str) -> None:
    network = make(cell, recon, iterations=3)
    y, x = torch.meshgrid(
        torch.linspace(-0.5, 0.5, 32), torch.linspace(-0.5, 0.5, 32), indexing="ij"
    )
    images = torch.stack([torch.stack([x, y, -x]), torch.stack([y, x * y, 0.3 - x])])
    optimizer = torch.optim.Adam(network.parameters(), lr=4e-3)
    losses = []
    for _ in range(60):
        noise = torch.rand(2, 3, 32, 2, 2)
        steps = unroll(network, images, iterations=3, noise=noise)
        loss = torch.stack([(images - step.x_hat).abs().mean() for step in steps]).mean()
        optimizer.zero_grad()
        loss.backward()
        assert all(p.grad is not None for p in network.parameters())
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        losses.append(loss.item())
    assert sum(losses[-5:]) < 0.55 * sum(losses[:5]), losses[::10]


@pytest.mark.parametrize(("cell", "recon"), GRID)
def test_decoding_the_codes_gives_the_encoders_pictures(cell: str, recon: str) -> None:
    network = make(cell, recon, iterations=3)
    x = torch.rand(2, 3, 32, 48) - 0.5
    with torch.inference_mode():
        sent = list(unroll(network, x, iterations=3))
        received = list(iterate(network, lambda t, *_: sent[t].code, 2))
    assert len(received) == 2, "a prefix decodes"
    for a, b in zip(sent, received, strict=False):
        assert torch.equal(a.x_hat, b.x_hat)
        assert a.code.abs().eq(1).all()


def test_the_first_iteration_allocates_no_state(monkeypatch: pytest.MonkeyPatch) -> None:
    network = make("lstm", "additive", iterations=1)

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a zero state was allocated")

    for name in ("zeros", "zeros_like"):
        monkeypatch.setattr(torch, name, refuse)
    assert len(list(unroll(network, torch.rand(1, 3, 16, 16), iterations=1))) == 1
