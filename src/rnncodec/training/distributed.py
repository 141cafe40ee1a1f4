"""Several processes, one run: what rank 0 does alone, and what all have to agree on."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import TypeVar

import lightning as L
import torch
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from lightning.fabric.plugins import ClusterEnvironment
from lightning.fabric.plugins.environments.slurm import SLURMEnvironment
from lightning.fabric.utilities.rank_zero import rank_zero_only
from torch import Tensor
from torch import distributed as dist

from rnncodec.errors import ConfigError

T = TypeVar("T")

VARIABLES = ("MASTER_ADDR", "MASTER_PORT", "NODE_RANK", "LOCAL_RANK", "WORLD_SIZE")


def is_main() -> bool:
    """Whether this process is rank 0 of its run: the one that writes."""
    return bool(getattr(rank_zero_only, "rank", 0) == 0)


@contextmanager
def own_process_group() -> Iterator[None]:
    """End the process group that the block began, so that the next job begins its own."""
    before = {name: os.environ.get(name) for name in VARIABLES}
    try:
        yield
    finally:
        if ranks() > 0:
            dist.destroy_process_group()
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def ranks() -> int:
    """How many processes share the run; 0 outside of a process group."""
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 0


def wait_for_all() -> None:
    """Wait until every rank is here."""
    if ranks() > 1:
        dist.barrier()


def mean_over_ranks(values: Tensor) -> Tensor:
    """The mean of every rank's tensor."""
    if ranks() < 2:
        return values
    total = values.clone()
    dist.all_reduce(total)
    return total / ranks()


def gather(own: list[T]) -> list[T]:
    """The items of all ranks, among which they were dealt in turn, in their first order."""
    if ranks() < 2:
        return own
    parts: list[list[T]] = [[] for _ in range(ranks())]
    dist.all_gather_object(parts, own)
    longest = max(map(len, parts))
    return [part[k] for k in range(longest) for part in parts if k < len(part)]


def of_main(value: float) -> float:
    """Rank 0's number, which all ranks have to share: clocks differ."""
    if ranks() < 2:
        return value
    shared = torch.tensor(value, dtype=torch.float64)
    dist.broadcast(shared, src=0, group=host_group(dist.group.WORLD))
    return float(shared)


def on_any_rank(flag: bool) -> bool:
    """Whether it is true on one rank at least; all have to ask together."""
    if ranks() < 2:
        return flag
    count = torch.tensor(int(flag))
    dist.all_reduce(count, group=host_group(dist.group.WORLD))
    return bool(count)


@lru_cache(maxsize=1)
def host_group(world: "dist.ProcessGroup") -> "dist.ProcessGroup":
    """The group in which all ranks agree on numbers of the host; all have to ask together.

    Through the devices' own group, each answer would wait for all that the device has to do.
    """
    if dist.get_backend(world) == "gloo":
        return world
    group: dist.ProcessGroup = dist.new_group(backend="gloo")
    return group


def cluster_plugins() -> list[ClusterEnvironment]:
    """Slurm's environment where a job runs in it; queueing again is left to who submitted it."""
    return [SLURMEnvironment(auto_requeue=False)] if SLURMEnvironment.detect() else []


def refuse_one_iteration(trainer: L.Trainer, iterations: int) -> None:
    """Refuse several devices for a model without a second iteration that could use its memory.

    What leads from one iteration to the next then gets no gradient, and PyTorch's averaging over
    processes, which waits for one of each weight, would wait for ever.
    """
    if trainer.world_size > 1 and iterations == 1:
        raise ConfigError(
            f"model.iterations=1 on {trainer.world_size} devices: what leads from one iteration "
            "to the next gets no gradient, and devices cannot agree on one; use trainer.devices=1 "
            "trainer.num_nodes=1, or at least 2 iterations"
        )


def refuse_sweep_in_children(trainer: L.Trainer) -> None:
    """Refuse several devices in a sweep's job unless something has started a task for each.

    Lightning would start them by repeating the command line, and each child a sweep of its own.
    """
    if trainer.world_size < 2 or not HydraConfig.initialized():
        return
    environment = getattr(trainer.strategy, "cluster_environment", None)
    external = environment is not None and environment.creates_processes_externally
    if HydraConfig.get().mode == RunMode.MULTIRUN and not external:
        raise ConfigError(
            f"trainer.devices={trainer.num_devices} trainer.num_nodes={trainer.num_nodes} in a "
            "sweep: its jobs cannot start processes of their own; use launcher=slurm, which "
            "starts one task per device, or trainer.devices=1 trainer.num_nodes=1 and several "
            "jobs at a time with launcher=local"
        )
