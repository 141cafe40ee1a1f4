"""The training step does what its settings say; on a GPU, too, where there is one."""

import math
from functools import partial

import numpy as np
import pytest
import torch
from scipy import stats

from rnncodec.errors import ConfigError
from rnncodec.images.pixels import from_uint8
from rnncodec.machine.devices import gains_from_bf16
from rnncodec.network.autoencoder import Network
from rnncodec.network.cells.gru import GRU
from rnncodec.network.cells.gru_resnet import GRUResNet
from rnncodec.network.recon.additive import Additive
from rnncodec.network.recon.scaled_additive import ScaledAdditive
from rnncodec.network.recon.scheduled_additive import ScheduledAdditive
from rnncodec.network.unroll import unroll
from rnncodec.training.codec_module import CodecModule, splitmix64, uniform
from rnncodec.training.losses import L1, L1MSSSIM
from rnncodec.training.muon import muon
from rnncodec.training.selection import mean_scores, score

BATCH = {
    "image": torch.randint(256, (2, 3, 32, 32), generator=torch.Generator().manual_seed(0)).byte(),
    "index": torch.tensor([3, 4]),
}


def make(**settings: str) -> CodecModule:
    torch.manual_seed(0)
    network = Network(GRU, Additive, width=0.125, iterations=3)
    module = CodecModule(network, L1(), partial(torch.optim.Adam, lr=1e-3), seed=0, **settings)
    module.log = lambda *_, **__: None  # no trainer to log to
    return module


def losses(module: CodecModule) -> torch.Tensor:
    """Of each iteration, with the bits of coding."""
    x = from_uint8(BATCH["image"])
    steps = unroll(module.network, x, iterations=3)
    return torch.stack([(x - step.x_hat).abs().mean() for step in steps])


def test_the_sign_trains_on_the_bits_of_coding() -> None:
    module = make(binarizer="sign")
    torch.testing.assert_close(module.training_step(BATCH, 0), losses(module).mean())


def test_the_stochastic_binarizer_draws_by_sample() -> None:
    module = make()
    first = module.training_step(BATCH, 0)
    assert first == module.training_step(BATCH, 0), "a function of seed and sample"
    assert first != losses(module).mean()
    assert first != module.training_step(BATCH | {"index": torch.tensor([5, 6])}, 0)


def test_the_geometric_mean_weighs_a_percent_alike_at_every_iteration() -> None:
    module = make(binarizer="sign", mean="geometric")
    parameters = [p for p in module.parameters() if p.requires_grad]
    by_iteration = losses(module)
    expected = by_iteration.log().mean().exp()
    loss = module.training_step(BATCH, 0)
    torch.testing.assert_close(loss, expected)
    assert expected < by_iteration.mean()
    torch.testing.assert_close(
        torch.autograd.grad(loss, parameters), torch.autograd.grad(expected, parameters)
    )


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"binarizer": "noisy"}, "binarizer='noisy': expected one of stochastic, sign"),
        ({"mean": "median"}, "loss_mean='median': expected one of arithmetic, geometric"),
    ],
)
def test_unknown_settings_are_refused(settings: dict[str, str], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        make(**settings)


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_reconstruction_that_is_not_finite_scores_nan(value: float) -> None:
    """Its pixels would be black, or white, and the score of such a picture is a number."""
    module = make().eval()
    image = torch.full((1, 3, 32, 32), 200, dtype=torch.uint8)
    assert math.isfinite(score(mean_scores([module.validation_step({"image": image}, 0)]))[1])
    for name, weight in module.network.decoder.named_parameters():
        if name.endswith("bias"):
            weight.data.fill_(value)
    assert math.isnan(score(mean_scores([module.validation_step({"image": image}, 0)]))[1])


RECIPES = ("paper", "compact")
"""The paper's, and that of experiment=compact."""


def module_on(device: str, recipe: str, monkeypatch: pytest.MonkeyPatch) -> CodecModule:
    """The training module; nothing is logged, since there is no trainer."""
    torch.manual_seed(0)
    if recipe == "paper":
        network = Network(GRUResNet, ScaledAdditive, width=0.125, iterations=3)
        module = CodecModule(network, L1(), torch.optim.Adam, seed=0)
    else:
        network = Network(GRUResNet, ScheduledAdditive, width=0.125, iterations=3)
        optimizer = partial(muon, lr=0.02, adam_lr=2e-3)
        loss = L1MSSSIM()
        module = CodecModule(network, loss, optimizer, seed=0, binarizer="sign", mean="geometric")
    monkeypatch.setattr(module, "log", lambda *_, **__: None)
    return module.to(device)


def batch_on(device: str) -> dict[str, torch.Tensor]:
    image = torch.randint(0, 256, (2, 3, 64, 64), generator=torch.Generator().manual_seed(0))
    return {"image": image.to(device, torch.uint8), "index": torch.arange(2, device=device)}


class Training:
    """All that a step does, on a device."""

    def __init__(self, device: str, recipe: str, monkeypatch: pytest.MonkeyPatch) -> None:
        self.device = device
        self.module, self.batch = module_on(device, recipe, monkeypatch), batch_on(device)
        self.optimizer = self.module.configure_optimizers()

    def step(self) -> None:
        low = gains_from_bf16(self.device)
        with torch.autocast(self.device, torch.bfloat16, enabled=low):
            loss = self.module.training_step(self.batch, 0)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.module.parameters(), 1.0)
        self.optimizer.step()
        self.optimizer.zero_grad()

    def parameters(self) -> dict[str, torch.Tensor]:
        return {name: p.detach().clone() for name, p in self.module.named_parameters()}


@pytest.mark.parametrize("recipe", RECIPES)
def test_every_parameter_moves_in_every_step(recipe: str, monkeypatch: pytest.MonkeyPatch) -> None:
    training = Training("cpu", recipe, monkeypatch)
    for _ in range(2):
        before = training.parameters()
        training.step()
        after = training.parameters()
        assert {name for name in before if torch.equal(before[name], after[name])} == set()


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("recipe", RECIPES)
class TestOnGPU:
    """What a step must do there."""

    def test_a_step_never_waits_for_the_device(
        self, recipe: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        training = Training("cuda", recipe, monkeypatch)
        training.step()  # the first one loads libraries
        before = training.parameters()
        torch.cuda.set_sync_debug_mode("error")
        try:
            training.step()
        finally:
            torch.cuda.set_sync_debug_mode("default")
        after = training.parameters()
        assert {name for name in before if torch.equal(before[name], after[name])} == set()

    def test_the_loss_is_that_of_the_cpu(
        self, recipe: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        losses = [
            float(module_on(device, recipe, monkeypatch).training_step(batch_on(device), 0))
            for device in ("cpu", "cuda")
        ]
        assert losses[1] == pytest.approx(losses[0], rel=1e-2)


def test_splitmix64_reference_values() -> None:
    # First outputs of the published splitmix64 generator for seed 1234567.
    state, outputs = 1234567, []
    for _ in range(3):
        outputs.append(int(splitmix64(torch.tensor([state]))[0]) % 2**64)
        state += 0x9E3779B97F4A7C15
        state = (state + 2**63) % 2**64 - 2**63
    assert outputs == [6457827717110365317, 3203168211198807973, 9817491932198370423]


def test_uniform_and_uncorrelated() -> None:
    values = uniform(3, torch.arange(64), (16, 32)).numpy().astype(np.float64)
    assert values.min() >= 0
    assert values.max() < 1
    assert stats.kstest(values.ravel(), "uniform").pvalue > 1e-3
    centred = values.reshape(64, -1) - 0.5
    neighbours = [
        (centred[1:] * centred[:-1]).mean(),
        (centred[:, 1:] * centred[:, :-1]).mean(),
        (centred * (uniform(4, torch.arange(64), (512,)).numpy() - 0.5)).mean(),
    ]
    assert np.abs(neighbours).max() < 5 / 12 / np.sqrt(centred.size)


def test_batch_split_and_order_do_not_matter() -> None:
    whole = uniform(1, torch.arange(100, 108), (5,))
    halves = [uniform(1, torch.arange(start, start + 4), (5,)) for start in (104, 100)]
    assert torch.equal(whole, torch.cat(halves[::-1]))
    assert whole.unique().numel() == whole.numel()
