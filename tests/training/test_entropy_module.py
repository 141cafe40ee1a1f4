"""The entropy model learns; from a share of the budget on, it does so as it will be coded."""

import math
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import lightning as L
import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader

from rnncodec.entropy import bits_per_bit, quantize
from rnncodec.entropy.binary_rnn import BinaryRNN
from rnncodec.entropy.progressive import Progressive
from rnncodec.errors import ConfigError, DivergenceError, ModelError
from rnncodec.models import model_file
from rnncodec.network.autoencoder import Network
from rnncodec.network.cells.gru import GRU
from rnncodec.network.recon.additive import Additive
from rnncodec.training.entropy_module import (
    EntropyModule,
    by_iteration,
    integer_rates,
    mean_rates,
    rate_lost,
    signs,
)
from rnncodec.training.fit import quiet_lightning
from rnncodec.training.selection import EntropySelection


def adam(parameters: Any) -> torch.optim.Optimizer:
    return torch.optim.Adam(parameters, lr=0.03)


def module(model: Any = None, **settings: Any) -> EntropyModule:
    settings = {"exact_from": 0.5, "codes": "these"} | settings
    return EntropyModule(model or BinaryRNN(2, 8), adam, **settings)


def trainer(steps: int, *callbacks: L.Callback) -> L.Trainer:
    return L.Trainer(
        accelerator="cpu", max_steps=steps, callbacks=list(callbacks), logger=False,
        enable_checkpointing=False, enable_progress_bar=False, enable_model_summary=False,
        num_sanity_val_steps=0, check_val_every_n_epoch=None, val_check_interval=steps,
    )  # fmt: skip


def loader(codes: torch.Tensor, batches: int) -> DataLoader:
    items = [{"codes": codes, "index": torch.arange(len(codes))} for _ in range(batches)]
    return DataLoader(items, batch_size=None)


def test_it_learns_and_the_best_is_kept_in_integers(tmp_path: Path) -> None:
    codes = (torch.rand(4, 2, 4, 4, 32) < 0.9).to(torch.uint8)  # entropy: 0.469 bits per bit
    network = Network(GRU, Additive, width=0.125, iterations=2)
    selection = EntropySelection(tmp_path / "best", model_file.Model(network, notes={"score": 1}))
    with quiet_lightning():
        trainer(60, selection).fit(module(), loader(codes, 60), loader(codes, 1))
    best = model_file.load(tmp_path / "best")
    assert best.notes["score"] == 1
    rates = best.notes["entropy"]["bits_per_bit"]
    assert max(rates["exact"]) < 0.6
    assert selection.best == pytest.approx(-sum(rates["exact"]) / 2)
    paid = integer_rates(best.entropy, [{"codes": codes}])
    assert paid.tolist() == pytest.approx(rates["exact"], rel=1e-3)


def test_an_iteration_counts_with_one_bit_per_bit_at_most(tmp_path: Path) -> None:
    """As in files, which store it raw: only so does the second validation look better."""
    network = Network(GRU, Additive, width=0.125, iterations=2)
    selection = EntropySelection(tmp_path / "best", model_file.Model(network))
    quiet: Any = SimpleNamespace(log=lambda *_, **__: None)
    scores = []
    for rates in ([0.9, 1.01], [0.85, 1.25]):
        found = torch.tensor(rates, dtype=torch.float64)
        scores.append(selection.judge(quiet, [{"float": found, "exact": found, "positions": 3}]))
    assert scores == pytest.approx([-0.95, -0.925])


def test_one_that_diverges_is_never_the_best(tmp_path: Path) -> None:
    network = Network(GRU, Additive, width=0.125, iterations=2)
    selection = EntropySelection(tmp_path / "best", model_file.Model(network))
    codes = torch.randint(2, (1, 2, 3, 4, 32), dtype=torch.uint8)
    quiet: Any = SimpleNamespace(global_step=4, sanity_checking=False, is_global_zero=True)
    learner = module().eval()
    learner.log = lambda *_, **__: None
    for weights in learner.parameters():
        weights.data.fill_(3e38)
    with torch.no_grad():
        selection.gathered = [learner.validation_step({"codes": codes}, 0)]
    with pytest.raises(DivergenceError, match="step 4: what the network makes of a validation"):
        selection.on_validation_epoch_end(quiet, learner)
    next(iter(learner.model.layers["logits"].parameters())).data.fill_(math.nan)
    with pytest.raises(DivergenceError, match=r"step 4: model\.layers\.logits\.\w+ is not finite"):
        selection.on_validation_epoch_end(quiet, learner)
    assert not selection.path.exists()


class Recorder(nn.Module):
    """Stands in for a model; notes which arithmetic was asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleDict()
        self.bias = nn.Parameter(torch.zeros(()))
        self.asked: list[bool] = []

    def forward(self, codes: torch.Tensor, *, exact: bool = False) -> torch.Tensor:
        self.asked.append(exact)
        return self.bias.expand_as(codes)


@pytest.mark.parametrize(("share", "floats"), [(0.0, 0), (0.6, 6), (1.0, 10)])
def test_the_last_part_of_the_budget_is_exact(share: float, floats: int) -> None:
    model = Recorder()
    codes = torch.ones(1, 2, 1, 1, 32, dtype=torch.uint8)
    with quiet_lightning():
        trainer(10).fit(module(model, exact_from=share), loader(codes, 10))
    assert model.asked == [False] * floats + [True] * (10 - floats)


def test_signs() -> None:
    codes = torch.zeros(1, 2, 3, 4, 32, dtype=torch.uint8)
    codes[0, 1, 2, 3, 5] = 1
    found = signs(codes)
    assert found.shape == (1, 2, 32, 3, 4)
    assert found[0, 1, 5, 2, 3] == 1
    assert found.sum() == 2 - codes.numel()


def test_a_checkpoint_of_its_own_is_taken() -> None:
    checkpoint: dict[str, Any] = {}
    module().on_save_checkpoint(checkpoint)
    module().on_load_checkpoint(checkpoint)
    assert checkpoint == {
        "entropy": {"name": "binary_rnn", "iterations": 2, "hidden": 8},
        "codes": "these",
    }


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (module(BinaryRNN(2, 4)), "'hidden': 4.*'hidden': 8.*choose another name="),
        (module(codes="those"), "learned the codes of another codec"),
    ],
    ids=["architecture", "codes"],
)
def test_a_foreign_checkpoint_is_refused(other: EntropyModule, message: str) -> None:
    checkpoint: dict[str, Any] = {}
    other.on_save_checkpoint(checkpoint)
    with pytest.raises(ModelError, match=message):
        module().on_load_checkpoint(checkpoint)


def test_share_out_of_range() -> None:
    with pytest.raises(ConfigError, match=r"exact_from=1\.5: expected 0 to 1"):
        module(exact_from=1.5)


def test_autocast_never_reaches_what_is_exact_or_measured() -> None:
    learner = module(BinaryRNN(2, 64))
    codes = signs(torch.randint(0, 2, (1, 2, 3, 4, 32), dtype=torch.uint8))
    undisturbed = {exact: learner.model(codes, exact=exact) for exact in (False, True)}
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(learner.logits(codes, exact=True), undisturbed[True])
        quick = learner.logits(codes, exact=False)
        assert quick.dtype == torch.float32
        assert not torch.equal(quick, undisturbed[False]), "learning may be quick"
        learner.eval()
        assert torch.equal(learner.logits(codes, exact=False), undisturbed[False])


def model() -> Progressive:
    made = Progressive(3, 8)
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.mul_(2)
    return made


def test_by_iteration_splits_the_mean() -> None:
    codes = torch.randint(0, 2, (2, 3, 32, 4, 5)) * 2.0 - 1
    logits = torch.randn(codes.shape)
    rates = by_iteration(logits, codes)
    assert rates.mean().item() == pytest.approx(bits_per_bit(logits, codes).item(), rel=1e-5)
    chance = 1 / (1 + np.exp(-(logits * codes).numpy()[:, 1]))
    assert rates[1].item() == pytest.approx(-np.log2(chance).mean(), rel=1e-5)


def test_mean_rates_weigh_by_positions() -> None:
    small = {"float": torch.tensor([1.0]), "exact": torch.tensor([2.0]), "positions": 1}
    large = {"float": torch.tensor([0.0]), "exact": torch.tensor([1.0]), "positions": 3}
    means = mean_rates([small, large])
    assert means["float"].tolist() == [0.25]
    assert means["exact"].tolist() == [1.25]


def test_integers_pay_what_exact_training_sees() -> None:
    floats = model()
    sizes = [(2, 3, 4, 5, 32), (1, 3, 2, 3, 32)]
    batches = [{"codes": torch.randint(0, 2, size, dtype=torch.uint8)} for size in sizes]
    paid = integer_rates(quantize(floats), batches)
    with torch.no_grad():
        seen = [
            {
                "float": by_iteration(floats(signs(b["codes"])), signs(b["codes"])),
                "exact": by_iteration(floats(signs(b["codes"]), exact=True), signs(b["codes"])),
                "positions": b["codes"][:, 0, ..., 0].numel(),
            }
            for b in batches
        ]
    torch.testing.assert_close(paid, mean_rates(seen)["exact"], rtol=1e-4, atol=0)
    assert 0.5 < paid.mean() < 4
    assert rate_lost(mean_rates(seen)["float"], paid) != 0


def test_rate_lost_is_relative() -> None:
    assert rate_lost(torch.tensor([0.5, 0.7]), torch.tensor([0.6, 0.72])) == pytest.approx(0.1)
