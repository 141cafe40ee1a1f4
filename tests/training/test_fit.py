"""A training of two processes ends together (one process, and whole runs: test_experiment)."""

import logging
import os
import signal
import socket
from multiprocessing import get_context
from pathlib import Path

import lightning as L
import pytest
import torch
from lightning.pytorch.profilers import SimpleProfiler
from torch import Tensor, nn
from torch.utils.data import DataLoader
from torch.utils.data.dataset import TensorDataset

from rnncodec.machine.signals import Terminated
from rnncodec.training.callbacks import LastCheckpoint
from rnncodec.training.distributed import own_process_group
from rnncodec.training.fit import Interrupt, fit, quiet_lightning


def test_the_report_of_a_profiler_is_the_one_word_of_lightning_that_is_heard() -> None:
    heard: list[str] = []
    listener = logging.Handler()
    listener.emit = lambda record: heard.append(record.getMessage())  # type: ignore[method-assign]
    lightning = logging.getLogger("lightning.pytorch")
    lightning.addHandler(listener)
    try:
        with quiet_lightning():
            logging.getLogger("lightning.pytorch.utilities").info("advice")
            profiler = SimpleProfiler()
            with profiler.profile("a step"):
                pass
            profiler.describe()
    finally:
        lightning.removeHandler(listener)
    (report,) = heard
    assert "a step" in report


class Told(L.LightningModule):
    """Learns a line; on rank 1, SIGTERM comes in the midst of a step, or of a validation."""

    def __init__(self, *, within: str) -> None:
        super().__init__()
        self.layer = nn.Linear(1, 1)
        self.within = within

    def loss(self, batch: list[Tensor], within: str) -> Tensor:
        if self.global_rank == 1 and self.global_step == 2 and within == self.within:
            signal.raise_signal(signal.SIGTERM)
        loss: Tensor = self.layer(batch[0]).square().mean()
        return loss

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        return self.loss(batch, "step")

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        return self.loss(batch, "validation")

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.1)


class Points(L.LightningDataModule):
    """On rank 1, SIGTERM may come while training begins: its first step is yet to come."""

    def __init__(self, *, within: str) -> None:
        super().__init__()
        self.within = within

    def train_dataloader(self) -> DataLoader[tuple[Tensor, ...]]:
        assert self.trainer is not None
        if self.trainer.global_rank == 1 and self.within == "beginning":
            signal.raise_signal(signal.SIGTERM)
        return DataLoader(TensorDataset(torch.ones(20, 1)))

    def val_dataloader(self) -> DataLoader[tuple[Tensor, ...]]:
        return DataLoader(TensorDataset(torch.ones(4, 1)))


def train_as(rank: int, folder: Path, port: int, within: str) -> None:
    """One of two processes, as a launcher starts them; leaves a file if it ended as it should."""
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "LOCAL_RANK": str(rank)}
    last = folder / "last.ckpt"
    with own_process_group(), quiet_lightning():
        trainer = L.Trainer(
            accelerator="cpu", devices=2, strategy="ddp", max_steps=8, val_check_interval=2,
            check_val_every_n_epoch=None, num_sanity_val_steps=0, logger=False,
            enable_checkpointing=False, enable_progress_bar=False, enable_model_summary=False,
            use_distributed_sampler=False, callbacks=[Interrupt(), LastCheckpoint(last, every=50)],
        )  # fmt: skip
        with pytest.raises(Terminated):
            fit(trainer, Told(within=within), Points(within=within), last)
    (folder / f"rank {rank} ended").touch()


@pytest.mark.filterwarnings("ignore:.* use of fork:DeprecationWarning")
@pytest.mark.parametrize(("within", "step"), [("beginning", 1), ("step", 3), ("validation", 2)])
def test_sigterm_to_one_of_two_processes_ends_both_after_the_same_step(
    tmp_path: Path, within: str, step: int
) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    ranks = [
        get_context("fork").Process(target=train_as, args=(rank, tmp_path, port, within))
        for rank in (0, 1)
    ]
    for process in ranks:
        process.start()
    for process in ranks:
        process.join(30)
        process.kill()
        process.join()
    assert sorted(path.name for path in tmp_path.glob("rank*")) == ["rank 0 ended", "rank 1 ended"]
    checkpoint = torch.load(tmp_path / "last.ckpt", weights_only=True)
    assert checkpoint["global_step"] == step
