"""The context of a run: its record, its threads, its process group."""

import gc
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext

import torch
from omegaconf import DictConfig

from rnncodec.machine.signals import ended_by_sigterm
from rnncodec.runs.job import Job
from rnncodec.runs.run_directory import RunFiles
from rnncodec.training.distributed import is_main, own_process_group, wait_for_all
from rnncodec.training.rendezvous import rendezvous, started_together


@contextmanager
def run_context(
    files: RunFiles, *, threads: int | None, trainer: DictConfig, check: Callable[[], None]
) -> Iterator[Callable[[str], None]]:
    """Around all phases; what it yields is to be called with the name of each as it begins.

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
        rendezvous(started_together(trainer), files.folder.name) as rank_0_begins,
        Job(files, check) if is_main() else nullcontext() as job,
    ):

        def begin(phase: str) -> None:
            if job is not None:
                job.enter(phase)
            rank_0_begins(phase)
            wait_for_all()  # for what rank 0 wrote at the end of the phase before

        if threads is not None:
            torch.set_num_threads(threads)
        try:
            yield begin
        finally:
            gc.collect()  # a trainer and its loops refer to each other
