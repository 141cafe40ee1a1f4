"""A training ends at the first value that is not finite; what was saved before stays."""

import math
import os
import re
import socket
from collections.abc import Sequence
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import lightning as L
import pytest
import torch
from lightning.pytorch.callbacks import EMAWeightAveraging
from torch import Tensor, nn
from torch.utils.data import DataLoader
from torch.utils.data.dataset import TensorDataset

from rnncodec.errors import DivergenceError, ModelError
from rnncodec.training import divergence
from rnncodec.training.callbacks import AtomicCheckpointIO, LastCheckpoint
from rnncodec.training.distributed import own_process_group
from rnncodec.training.divergence import StepValues, StopIfDiverged, require_finite_weights
from rnncodec.training.fit import quiet_lightning

BAD_STEP = 3


class Line(L.LightningModule):
    """Learns a line of two layers; in its third step something goes wrong."""

    def __init__(self, fault: str) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(1, 1), nn.Linear(1, 1)
        self.fault = fault

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        inner = self.first(batch[0])
        loss: Tensor = self.second(inner).square().mean()
        if self.global_step == BAD_STEP - 1:
            if self.fault == "gradient":
                inner.register_hook(lambda gradient: gradient * math.nan)
            if self.fault == "norm":  # each of its squares is infinite in 32 bits, and no gradient
                inner.register_hook(lambda gradient: gradient * 0 + 1e25)
            if self.fault == "loss" or (self.fault == "loss on rank 1" and self.global_rank == 1):
                loss = loss + torch.tensor(math.inf)  # its gradient stays finite
        return loss

    def optimizer_step(self, *given: Any, **more: Any) -> None:
        super().optimizer_step(*given, **more)
        if self.fault == "weight" and self.global_step == BAD_STEP - 1:
            self.second.bias.data.fill_(math.nan)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.01)


def train(folder: Path, fault: str, *, every: int = 1, **more: Any) -> Line:
    module = Line(fault)
    last = LastCheckpoint(folder / "last.ckpt", every=every)
    around = [EMAWeightAveraging(decay=0.5), StopIfDiverged(), last]
    trainer = L.Trainer(
        accelerator="cpu", max_steps=6, logger=False, callbacks=around, gradient_clip_val=1.0,
        enable_checkpointing=False, enable_progress_bar=False, enable_model_summary=False,
        use_distributed_sampler=False, **more,
    )  # fmt: skip
    data = DataLoader(TensorDataset(torch.ones(20, 1)), generator=torch.Generator())
    with quiet_lightning(), pytest.raises(DivergenceError) as raised:
        trainer.fit(module, data)
    (folder / f"rank {trainer.global_rank}").write_text(str(raised.value))
    return module


def require_good_checkpoint(folder: Path) -> None:
    checkpoint = torch.load(folder / "last.ckpt", weights_only=True)
    assert checkpoint["global_step"] == BAD_STEP - 1
    for key in ("state_dict", "current_model_state"):
        assert all(tensor.isfinite().all() for tensor in checkpoint[key].values())


FAULTS = {
    "loss": r"the loss is inf; what",
    "gradient": r"the gradient of first\.weight \(and of 1 more\) is not finite; what",
    "norm": r"the gradient of first\.\w+ .*is not finite; what",
    "weight": r"second\.bias is not finite; what",
}


@pytest.mark.parametrize("fault", FAULTS)
def test_it_is_named_and_the_checkpoint_before_stays(tmp_path: Path, fault: str) -> None:
    module = train(tmp_path, fault)
    said = (tmp_path / "rank 0").read_text()
    assert re.match(f"training diverged at step 3: {FAULTS[fault]}", said)
    assert fault == "weight" or all(weight.isfinite().all() for weight in module.parameters())
    require_good_checkpoint(tmp_path)


class Late:
    """A GPU's event."""

    def __init__(self) -> None:
        self.waited = False

    def synchronize(self) -> None:
        self.waited = True


@pytest.mark.parametrize("every", [1, 2])
@pytest.mark.parametrize("fault", ["loss", "gradient"])
def test_a_gpu_is_waited_for_before_a_checkpoint_or_one_step_later(
    tmp_path: Path, fault: str, every: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked_at: list[tuple[int, bool]] = []

    def sent(step: int, names: Sequence[str], values: Tensor) -> StepValues:
        looked_at.append((step, late[-1].waited))
        late.append(Late())
        return StepValues(step, names, values.clone(), late[-1])  # type: ignore[arg-type]

    late = [Late()]
    late[0].waited = True
    monkeypatch.setattr(divergence, "sent_to_host", sent)
    train(tmp_path, fault, every=every)
    said = (tmp_path / "rank 0").read_text()
    assert re.match(f"training diverged at step 3: .*{FAULTS[fault]}", said)
    assert looked_at == [(step, True) for step in range(1, 4)], "each before the next is sent"
    require_good_checkpoint(tmp_path)


def test_the_first_and_the_number_of_those_that_follow_are_told() -> None:
    weights = {"a": torch.ones(2), "b.bias": torch.tensor(math.inf), "c": torch.tensor(math.nan)}
    with pytest.raises(DivergenceError, match=r"step 6: b\.bias \(and of 1 more\) is not finite"):
        require_finite_weights(weights, 6)


def as_rank(rank: int, port: int, folder: Path) -> None:
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "LOCAL_RANK": str(rank)}
    with own_process_group():
        train(folder, "loss on rank 1", devices=2, strategy="ddp")


@pytest.mark.filterwarnings("ignore:.* use of fork:DeprecationWarning")
def test_all_ranks_end_at_the_step_in_which_one_diverges(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    started = [
        get_context("fork").Process(target=as_rank, args=(rank, port, tmp_path)) for rank in (0, 1)
    ]
    for process in started:
        process.start()
    for process in started:
        process.join(30)
        process.kill()
        process.join()
    said = [(tmp_path / f"rank {rank}").read_text() for rank in (0, 1)]
    assert said[0] == said[1]
    assert "step 3: the loss is inf" in said[0]
    require_good_checkpoint(tmp_path)


def test_a_checkpoint_of_weights_that_are_not_finite_is_not_gone_on_from(tmp_path: Path) -> None:
    torch.save({"state_dict": {"a.weight": torch.tensor(math.nan)}}, tmp_path / "last.ckpt")
    with pytest.raises(ModelError, match=r"last\.ckpt: a\.weight is not finite"):
        AtomicCheckpointIO().load_checkpoint(tmp_path / "last.ckpt")
