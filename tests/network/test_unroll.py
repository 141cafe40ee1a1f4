"""The iteration itself, on real networks."""

import itertools
from pathlib import Path

import pytest
import torch
from hydra.utils import instantiate
from omegaconf import OmegaConf

from rnncodec.network.autoencoder import Network
from rnncodec.network.shared_convolution import shared
from rnncodec.network.unroll import EncoderLoop, iterate, over_blocks, unroll

GRID = list(
    itertools.product(
        sorted(path.stem for path in Path("conf/cell").glob("*.yaml")),
        sorted(path.stem for path in Path("conf/recon").glob("*.yaml")),
    )
)


EXTRA = [(0, 0), (2, 0), (0, 1), (1, 2)]
extra_runs = pytest.mark.parametrize(("priming", "diffusion"), EXTRA)


def make(cell: str, recon: str, *, iterations: int, **extra: int) -> Network:
    parts = [OmegaConf.load(f"conf/{group}.yaml") for group in (f"cell/{cell}", f"recon/{recon}")]
    return Network(*map(instantiate, parts), width=0.125, iterations=iterations, **extra)


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


@pytest.mark.parametrize(("cell", "recon"), GRID)
def test_positions_that_end_send_zeros_and_keep_their_picture(cell: str, recon: str) -> None:
    network = make(cell, recon, iterations=4)
    x = torch.rand(2, 3, 32, 48) - 0.5
    ends = torch.tensor([[[1, 2, 3], [3, 1, 2]], [[2, 2, 1], [3, 3, 3]]])[:, None]
    with torch.inference_mode():
        source = EncoderLoop(network, x, ends=ends)
        sent = list(iterate(network, source, 4, adaptive=True))
        received = list(iterate(network, lambda t, *_: sent[t].code, 4, adaptive=True))
    for t, (a, b) in enumerate(zip(sent, received, strict=True)):
        assert torch.equal(a.x_hat, b.x_hat)
        assert torch.equal(a.code.abs(), (ends > t).expand(2, 32, 2, 3).float())
    for t in range(1, 4):
        still = over_blocks(ends <= t).expand_as(x)
        assert torch.equal(sent[t].x_hat[still], sent[t - 1].x_hat[still])
        assert torch.equal(sent[t].x_hat, sent[t - 1].x_hat) == (t == 3)


@pytest.mark.parametrize("recon", ["additive", "scheduled_additive", "scaled_additive"])
def test_the_encoder_is_not_shown_what_ended_blocks_lack(recon: str) -> None:
    network = make("gru", recon, iterations=3)
    shown: list[torch.Tensor] = []
    network.encoder.register_forward_pre_hook(lambda _, arguments: shown.append(arguments[0]))
    x = torch.rand(2, 3, 32, 48) - 0.5
    ends = torch.tensor([[[1, 2, 3], [3, 1, 2]], [[2, 2, 1], [3, 3, 3]]])[:, None]
    picture: torch.Tensor | None = None
    with torch.inference_mode():
        source = EncoderLoop(network, x, ends=ends)
        for t, step in enumerate(iterate(network, source, 3, adaptive=True)):
            residual = x if picture is None else x - picture
            gain = network.recon.gain(t, picture)
            seen = residual if gain is None else residual * gain
            ended = over_blocks(ends <= t).expand_as(x)
            assert torch.equal(shown[t], torch.where(ended, 0, seen))
            assert (seen[ended] != 0).any() == (t > 0), "there would have been something to see"
            picture = step.x_hat


def test_where_none_ends_adaptive_is_plain() -> None:
    network = make("gru", "scaled_additive", iterations=3)
    x = torch.rand(1, 3, 32, 32) - 0.5
    with torch.inference_mode():
        plain = list(unroll(network, x, iterations=3))
        source = EncoderLoop(network, x, ends=torch.full((1, 1, 2, 2), 3))
        adaptive = list(iterate(network, source, 3, adaptive=True))
    assert all(torch.equal(a.x_hat, b.x_hat) for a, b in zip(plain, adaptive, strict=True))


def test_the_first_iteration_allocates_no_state(monkeypatch: pytest.MonkeyPatch) -> None:
    network = make("lstm", "additive", iterations=1)

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a zero state was allocated")

    names = ("zeros", "zeros_like", "full", "full_like", "empty", "empty_like")
    for name in names:
        monkeypatch.setattr(torch, name, refuse)
    for name in ("new_zeros", "new_full", "new_empty"):
        monkeypatch.setattr(torch.Tensor, name, refuse)
    (step,) = unroll(network, torch.rand(1, 3, 16, 16), iterations=1)
    assert step.x_hat.shape == (1, 3, 16, 16)


def by_hand(network: Network, x: torch.Tensor) -> list[torch.Tensor]:
    """Pictures of an additive network, every run of its parts spelt out."""
    pictures, total, encoded, decoded = [], torch.zeros_like(x), None, None
    for t in range(network.iterations):
        warming = network.priming if t == 0 else 0
        for _ in range(warming):
            _, encoded = network.encoder(x - total, encoded)
        features, encoded = network.encoder(x - total, encoded)
        code = torch.where(torch.tanh(network.binarizer.conv(features)) >= 0, 1.0, -1.0)
        for _ in range(warming + network.diffusion):
            _, decoded = network.decoder(code, decoded)
        y, decoded = network.decoder(code, decoded)
        total = total + y
        pictures.append(total)
    return pictures


@extra_runs
def test_only_the_last_of_several_runs_counts(priming: int, diffusion: int) -> None:
    network = make("gru", "additive", iterations=3, priming=priming, diffusion=diffusion)
    x = torch.rand(1, 3, 32, 48) - 0.5
    with torch.inference_mode():
        steps = list(unroll(network, x, iterations=3))
        expected = by_hand(network, x)
    for step, picture in zip(steps, expected, strict=True):
        torch.testing.assert_close(step.x_hat, picture)


@extra_runs
def test_how_often_cells_run(priming: int, diffusion: int) -> None:
    network = make("gru", "additive", iterations=3, priming=priming, diffusion=diffusion)
    ran: list[str] = []
    for name, part in network.named_modules():
        if name.startswith(("encoder.cells.", "decoder.cells.", "binarizer")):
            part.register_forward_hook(lambda *_, name=name: ran.append(name))
    with torch.inference_mode():
        steps = list(unroll(network, torch.rand(1, 3, 16, 16) - 0.5, iterations=3))
        assert {ran.count(f"decoder.cells.{k}") for k in range(4)} == {2 + priming + 2 * diffusion}
        assert steps[-1].x_hat.shape == (1, 3, 16, 16)  # now it has to be known
        assert ran.count("binarizer") == 3
        assert {ran.count(f"encoder.cells.{k}") for k in range(3)} == {3 + priming}
        assert {ran.count(f"decoder.cells.{k}") for k in range(4)} == {3 + priming + 3 * diffusion}
        ran.clear()
        assert len([step.x_hat for step in iterate(network, lambda t, *_: steps[t].code, 2)]) == 2
    assert {name.partition(".")[0] for name in ran} == {"decoder"}
    assert ran.count("decoder.cells.0") == 2 + priming + 2 * diffusion


@extra_runs
def test_the_pictures_of_extra_runs_come_back_without_encoder(
    priming: int, diffusion: int
) -> None:
    network = make("lstm", "scaled_additive", iterations=3, priming=priming, diffusion=diffusion)
    with torch.inference_mode():
        sent = list(unroll(network, torch.rand(1, 3, 32, 48) - 0.5, iterations=3))
        network.encoder = network.binarizer = None
        received = list(iterate(network, lambda t, *_: sent[t].code, 3))
    assert all(torch.equal(a.x_hat, b.x_hat) for a, b in zip(sent, received, strict=True))


@pytest.mark.parametrize(
    ("priming", "diffusion", "learning"),
    [(0, 0, set()), (1, 0, {"encoder", "decoder"}), (0, 1, {"decoder"})],
)
def test_a_warm_state_teaches_the_hidden_convolutions(
    priming: int, diffusion: int, learning: set[str]
) -> None:
    network = make("gru", "one_shot", iterations=1, priming=priming, diffusion=diffusion)
    x = torch.rand(1, 3, 32, 32) - 0.5
    with shared(network):
        (step,) = unroll(network, x, iterations=1, noise=torch.rand(1, 1, 32, 2, 2))
    (x - step.x_hat).abs().mean().backward()
    reached = {name for name, p in network.named_parameters() if p.grad is not None}
    hidden = {name for name, _ in network.named_parameters() if ".U" in name}
    assert reached - hidden == {name for name, _ in network.named_parameters()} - hidden
    assert {name.partition(".")[0] for name in reached & hidden} == learning
