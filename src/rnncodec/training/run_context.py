"""The context of a run: its record, its threads, its process group, its other ranks.

Rank 0 announces each phase to the other ranks, which have no process group before training.
"""

import gc
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING

import torch
from lightning.fabric.plugins import ClusterEnvironment
from lightning.fabric.plugins.environments.torchelastic import TorchElasticEnvironment
from omegaconf import DictConfig
from torch import distributed as dist

from rnncodec.errors import RNNCodecError
from rnncodec.machine.signals import ended_by_sigterm
from rnncodec.runs.job import Job
from rnncodec.runs.run_directory import RunFiles
from rnncodec.training.distributed import (
    cluster_plugins,
    is_main,
    own_process_group,
    ranks,
    wait_for_all,
)

if TYPE_CHECKING:
    from torch._C._distributed_c10d import Store

END = "end"
LEFT_COUNT = "left"
PAUSE = 0.1
PATIENCE = timedelta(minutes=10)
"""For rank 0 to start, and to answer."""
SHUTDOWN_TIMEOUT = 60.0
"""Seconds that rank 0 stays for the others to read how it ended."""


@contextmanager
def run_context(
    files: RunFiles, *, threads: int | None, trainer: DictConfig, check: Callable[[], None]
) -> Iterator[Callable[[str], None]]:
    """Around all phases; what it yields is to be called with the name of each as it starts.

    Rank 0 writes the record; the others wait for it.

    Args:
        files: of the run.
        threads: of PyTorch; None: as many as it likes.
        trainer: its settings, which say whether there are other ranks.
        check: raises where the run is to be refused; on rank 0, before anything is recorded.

    Raises:
        Terminated: SIGTERM has come, during a training or outside of one.
        RNNCodecError: on other ranks than 0, rank 0 has ended.
        ConfigError: another process runs it.
        StorageError: the run directory cannot be written.
    """
    with (
        ended_by_sigterm(),  # but for the steps of a training, which end by themselves
        own_process_group(),
        rendezvous(started_together(trainer), files.folder.name) as rank_0_starts,
        Job(files, check) if is_main() else nullcontext() as job,
    ):

        def start(phase: str) -> None:
            if job is not None:
                job.enter(phase)
            rank_0_starts(phase)
            wait_for_all()  # for what rank 0 wrote at the end of the phase before

        if threads is not None:
            torch.set_num_threads(threads)
        try:
            yield start
        finally:
            gc.collect()  # a trainer and its loops refer to each other


def started_together(trainer: DictConfig) -> ClusterEnvironment | None:
    """What started all ranks at once; None where rank 0 starts the others, or is alone."""
    if trainer.devices == 1 and trainer.get("num_nodes", 1) == 1:
        return None
    found = cluster_plugins()
    if TorchElasticEnvironment.detect():
        found = [TorchElasticEnvironment()]
    return found[0] if found and found[0].world_size() > 1 else None


@contextmanager
def rendezvous(
    environment: ClusterEnvironment | None, name: str
) -> Iterator[Callable[[str], None]]:
    """Around what all ranks do; what it yields is to be called as each phase starts.

    On ranks other than 0 it waits until rank 0 has started the phase.

    Args:
        environment: of :func:`started_together`.
        name: of the run.

    Raises:
        RNNCodecError: on ranks other than 0, rank 0 has ended, with its reason; or is not there.
    """
    if environment is None:
        yield lambda _: None
    elif is_main():
        with rank0(shared_store(environment, name), environment.world_size() - 1) as starts:
            yield starts
    else:
        with rank_0_errors():
            store = shared_store(environment, name)
        try:
            yield partial(wait_for, store)
        finally:
            with suppress(dist.DistError):  # rank 0 may be gone
                store.add(LEFT_COUNT, 1)


@contextmanager
def rank0(store: "Store", others: int) -> Iterator[Callable[[str], None]]:
    """On rank 0: announce each phase as it starts, and how the run ended."""
    try:
        yield lambda phase: store.set(phase, "")
    except BaseException as error:
        store.set(END, f"rank 0 ended: {str(error) or type(error).__name__}")
        raise
    finally:
        if ranks() == 0:  # else the end of the process group ends them
            deadline = time.monotonic() + SHUTDOWN_TIMEOUT  # the store ends with this process
            while store.add(LEFT_COUNT, 0) < others and time.monotonic() < deadline:
                time.sleep(PAUSE)


def shared_store(environment: ClusterEnvironment, name: str) -> "Store":
    """Words that all ranks can read, where the process group will be agreed on, too."""
    agent = isinstance(environment, TorchElasticEnvironment)  # which has opened it for all
    store = dist.TCPStore(  # type: ignore[attr-defined]
        environment.main_address,
        environment.main_port,
        is_master=is_main() and not agent,
        timeout=PATIENCE,
        wait_for_workers=False,
        multi_tenant=True,
    )
    words: Store = dist.PrefixStore(f"rnncodec/{name}", store)  # type: ignore[attr-defined]
    return words


@contextmanager
def rank_0_errors() -> Iterator[None]:
    """Failures of the connection are rank 0's end."""
    try:
        yield
    except dist.DistError as error:
        raise RNNCodecError("rank 0 cannot be reached; what it wrote says why") from error


def wait_for(store: "Store", phase: str) -> None:
    """Wait until rank 0 has started a phase."""
    with rank_0_errors():
        while not store.check([phase]):
            if store.check([END]):
                raise RNNCodecError(store.get(END).decode())
            time.sleep(PAUSE)
