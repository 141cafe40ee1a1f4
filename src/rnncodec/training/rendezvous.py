"""Rank 0 announces each phase to the other ranks, which have no process group before training."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING

from lightning.fabric.plugins import ClusterEnvironment
from lightning.fabric.plugins.environments.torchelastic import TorchElasticEnvironment
from omegaconf import DictConfig
from torch import distributed as dist

from rnncodec.errors import RNNCodecError
from rnncodec.training.distributed import cluster_plugins, is_main, ranks

if TYPE_CHECKING:
    from torch._C._distributed_c10d import Store

END = "end"
LEFT_COUNT = "left"
PAUSE = 0.1
PATIENCE = timedelta(minutes=10)
"""For rank 0 to start, and to answer."""
SHUTDOWN_TIMEOUT = 60.0
"""Seconds that rank 0 stays for the others to hear how it ended."""


def started_together(trainer: DictConfig) -> ClusterEnvironment | None:
    """What started all ranks of a run at once; None where rank 0 starts the others, or is alone.

    Args:
        trainer: its settings.
    """
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
    """Around what all ranks do; what it yields is to be called as each phase begins.

    Ranks other than 0 wait there until rank 0 has begun the phase, and end if it ends instead.

    Args:
        environment: of :func:`started_together`.
        name: of the run.

    Raises:
        RNNCodecError: on ranks other than 0, rank 0 has ended, with its reason; or is not there.
    """
    if environment is None:
        yield lambda _: None
        return
    with (rank0 if is_main() else other_ranks)(environment, name) as begins:
        yield begins


@contextmanager
def rank0(environment: ClusterEnvironment, name: str) -> Iterator[Callable[[str], None]]:
    """On rank 0: announce each phase as it begins, and how the run ended."""
    store = shared_store(environment, name)
    try:
        yield lambda phase: store.set(phase, "")
    except BaseException as error:
        store.set(END, f"rank 0 ended: {str(error) or type(error).__name__}")
        raise
    finally:
        if ranks() == 0:  # else the end of the process group tells them
            wait_for_others(store, environment.world_size() - 1)


@contextmanager
def other_ranks(environment: ClusterEnvironment, name: str) -> Iterator[Callable[[str], None]]:
    """On the other ranks: wait for what rank 0 announces."""
    with of_rank_0():
        store = shared_store(environment, name)
    try:
        yield partial(wait_for, store)
    finally:
        with suppress(dist.DistError):  # rank 0 may be gone
            store.add(LEFT_COUNT, 1)


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
def of_rank_0() -> Iterator[None]:
    """Failures of the connection are rank 0's end."""
    try:
        yield
    except dist.DistError as error:
        raise RNNCodecError("rank 0 cannot be reached; what it wrote says why") from error


def wait_for(store: "Store", phase: str) -> None:
    """Wait until rank 0 has begun a phase."""
    with of_rank_0():
        while not store.check([phase]):
            if store.check([END]):
                raise RNNCodecError(store.get(END).decode())
            time.sleep(PAUSE)


def wait_for_others(store: "Store", others: int) -> None:
    """Wait until the other ranks have ended: the store ends with this process."""
    deadline = time.monotonic() + SHUTDOWN_TIMEOUT
    while store.add(LEFT_COUNT, 0) < others and time.monotonic() < deadline:
        time.sleep(PAUSE)
