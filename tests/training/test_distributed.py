"""Two processes agree; a sweep's job starts no processes of its own."""

import os
from collections.abc import Callable
from contextlib import nullcontext
from functools import partial
from pathlib import Path

import lightning as L
import pytest
import torch
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import OmegaConf
from torch import distributed as dist
from torch import multiprocessing

from rnncodec.entropy import EntropyModel
from rnncodec.entropy.binary_rnn import BinaryRNN
from rnncodec.entropy.progressive import Progressive
from rnncodec.errors import ConfigError
from rnncodec.network.autoencoder import Network
from rnncodec.network.cells.gru import GRU
from rnncodec.network.recon.scaled_additive import ScaledAdditive
from rnncodec.training import distributed
from rnncodec.training.codec_module import CodecModule
from rnncodec.training.distributed import gather
from rnncodec.training.entropy_module import EntropyModule
from rnncodec.training.losses import L1


@pytest.fixture
def multirun(monkeypatch: pytest.MonkeyPatch) -> None:
    """As inside a job of ``train.py -m``."""
    monkeypatch.setattr(HydraConfig.instance(), "cfg", OmegaConf.create({"hydra": {}}))
    monkeypatch.setattr(HydraConfig, "get", lambda: OmegaConf.create({"mode": RunMode.MULTIRUN}))


def trainer(devices: int, *, nodes: int = 1) -> L.Trainer:
    more = {"logger": False, "enable_checkpointing": False}
    return L.Trainer(accelerator="cpu", devices=devices, num_nodes=nodes, **more)


@pytest.mark.usefixtures("multirun")
def test_two_devices_in_a_sweep_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SLURM_NTASKS", raising=False)
    distributed.refuse_sweep_in_children(trainer(1))
    with pytest.raises(ConfigError, match=r"devices=2 .*in a sweep: .* use launcher=slurm"):
        distributed.refuse_sweep_in_children(trainer(2))
    with pytest.raises(ConfigError, match=r"devices=1 trainer\.num_nodes=2 in a sweep: "):
        distributed.refuse_sweep_in_children(trainer(1, nodes=2))


@pytest.mark.usefixtures("multirun")
def test_two_devices_are_fine_where_slurm_has_started_a_task_for_each(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tasks = {"NTASKS": "2", "NTASKS_PER_NODE": "2", "PROCID": "0", "LOCALID": "0", "NODEID": "0"}
    for name, value in (tasks | {"JOB_NAME": "train"}).items():
        monkeypatch.setenv(f"SLURM_{name}", value)
    (environment,) = distributed.cluster_plugins()
    assert not environment.auto_requeue
    distributed.refuse_sweep_in_children(trainer(2))


def codec_of(iterations: int) -> L.LightningModule:
    network = Network(GRU, ScaledAdditive, width=0.125, iterations=iterations)
    return CodecModule(network, L1(), torch.optim.Adam, seed=0)


def entropy_of(kind: type[EntropyModel], iterations: int) -> L.LightningModule:
    return EntropyModule(kind(iterations, 8), torch.optim.Adam, exact_from=0.5, codes="")


@pytest.mark.parametrize(
    ("make", "fine"),
    [(codec_of, False), (partial(entropy_of, Progressive), False),
     (partial(entropy_of, BinaryRNN), True)],
)  # fmt: skip
def test_one_iteration_on_two_devices_is_refused_where_memory_would_not_learn(
    make: Callable[[int], L.LightningModule], fine: bool
) -> None:
    for iterations, devices in ((2, 2), (1, 1)):
        module = make(iterations)
        module.trainer = trainer(devices)
        module.on_fit_start()
    module.trainer = trainer(2)
    refusal = pytest.raises(ConfigError, match=r"iterations=1 on 2 devices: .*devices=1")
    with nullcontext() if fine else refusal:
        module.on_fit_start()


def test_two_devices_are_refused_only_in_a_sweep(
    monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    monkeypatch.delenv("SLURM_NTASKS", raising=False)
    two = trainer(2)
    distributed.refuse_sweep_in_children(two)
    request.getfixturevalue("multirun")
    with pytest.raises(ConfigError, match="in a sweep"):
        distributed.refuse_sweep_in_children(two)


def test_alone_there_is_nothing_to_agree_on() -> None:
    values = torch.tensor([1.0, 2.0])
    distributed.wait_for_all()
    assert torch.equal(distributed.mean_over_ranks(values), values)
    assert distributed.of_main(0.25) == 0.25
    assert distributed.on_any_rank(True)
    assert not distributed.on_any_rank(False)


def test_process_group_ends_and_its_variables_with_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MASTER_PORT", "1")
    with distributed.own_process_group():
        os.environ |= {"MASTER_PORT": "2", "LOCAL_RANK": "0"}
        dist.init_process_group("gloo", f"file://{tmp_path}/store", rank=0, world_size=1)
        assert distributed.ranks() == 1
    assert distributed.ranks() == 0
    assert os.environ["MASTER_PORT"] == "1"
    assert "LOCAL_RANK" not in os.environ


def agree(rank: int, folder: str) -> None:
    with distributed.own_process_group():
        dist.init_process_group("gloo", f"file://{folder}/store", rank=rank, world_size=2)
        mean = distributed.mean_over_ranks(torch.tensor([1.0 + rank, 4.0]))
        clock = distributed.of_main(0.5 + rank)
        asked = [distributed.on_any_rank(flag) for flag in (rank == 1, False)]
        distributed.wait_for_all()
        order = gather([0, 2, 4] if rank == 0 else [1, 3])
        Path(folder, f"{rank}").write_text(f"{mean.tolist()} {clock} {asked} {order}")


@pytest.mark.filterwarnings("ignore:.* use of fork:DeprecationWarning")
def test_two_ranks_agree_on_means_clock_wishes_and_order(tmp_path: Path) -> None:
    multiprocessing.start_processes(agree, (str(tmp_path),), nprocs=2, start_method="fork")
    for rank in (0, 1):
        assert (tmp_path / f"{rank}").read_text() == "[1.5, 4.0] 0.5 [True, False] [0, 1, 2, 3, 4]"
