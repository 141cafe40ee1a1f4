"""Training data without end, which resumes at any sample on any number of devices and workers.

Sample `index` of a whole run is a function of the seed and of `index` alone.
"""

import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any, ClassVar, NamedTuple

import numpy as np
import torch
from lightning import LightningDataModule
from torch.utils.data import DataLoader, Dataset, Sampler

from rnncodec.data.photos import SkippedImages
from rnncodec.errors import ConfigError
from rnncodec.images.reading import Pixels


class Sample(NamedTuple):
    """One crop (crop, crop, 3) and the photographs found unreadable on the way to it."""

    number: int
    image: Pixels | None
    failed: dict[str, str]


class InfiniteBatches(Sampler[list[int]]):
    """Global sample indices of one rank's share of each batch, from `position()` on, forever.

    Batch `b` of the whole run holds samples `b*B .. b*B + B-1`; rank k of n takes the k-th n-th.
    The position is asked each time iteration starts, so that it may move between epochs.
    """

    def __init__(
        self, position: Callable[[], int], batch_size: int, *, rank: int = 0, ranks: int = 1
    ) -> None:
        assert batch_size % ranks == 0
        self.position = position
        self.batch_size = batch_size
        self.share = batch_size // ranks
        self.rank = rank

    def __iter__(self) -> Iterator[list[int]]:
        start = self.position() + self.rank * self.share
        while True:
            yield list(range(start, start + self.share))
            start += self.batch_size


class InfiniteDataModule(LightningDataModule):
    """Batches of `batch_size` samples of all devices together, from the trainer's position on.

    A run that is resumed, with another number of devices or workers too, sees what one that was
    never stopped would see.
    """

    group: ClassVar[str] = "data"
    """Where its settings stand in the configuration, for messages."""

    batch_size: int

    def batches(self) -> InfiniteBatches:
        """This device's share of every batch.

        Raises:
            ConfigError: the batch cannot be divided among the devices.
        """
        rank, ranks = self.rank()
        if self.batch_size % ranks:
            raise ConfigError(
                f"{self.group}.batch_size={self.batch_size} cannot be divided among {ranks} "
                f"devices; use a multiple of {ranks}"
            )
        return InfiniteBatches(self.position, self.batch_size, rank=rank, ranks=ranks)

    def rank(self) -> tuple[int, int]:
        """Which of how many devices this is."""
        if self.trainer is None:
            return 0, 1
        return self.trainer.global_rank, self.trainer.world_size

    def position(self) -> int:
        """The global index of the next sample of the attached trainer."""
        if self.trainer is None:
            return 0
        return self.trainer.global_step * self.trainer.accumulate_grad_batches * self.batch_size

    def on_cuda(self) -> bool:
        """Whether batches go to a GPU."""
        return self.trainer is not None and self.trainer.strategy.root_device.type == "cuda"


class CropLoader(DataLoader[Sample]):
    """Batches `{"image": uint8 (B, 3, crop, crop), "index": int64 (B,)}`.

    They are the same for any number of workers; photographs that fail to decode are accounted for
    here, in the main process.
    """

    def __init__(
        self,
        samples: Dataset[Sample],
        batches: InfiniteBatches,
        skipped: SkippedImages,
        *,
        num_workers: int = 0,
        pin_memory: bool = False,
    ) -> None:
        super().__init__(
            samples,
            batch_sampler=batches,
            num_workers=num_workers,
            collate_fn=collate,
            worker_init_fn=start_worker,
            persistent_workers=num_workers > 0,
            pin_memory=pin_memory,
            # the loader draws a number per iterator; not from the global generator, please
            generator=torch.Generator(),
        )
        self.skipped = skipped

    def __iter__(self) -> Iterator[Any]:  # type: ignore[override]
        """Yield batches.

        Raises:
            DataError: more than 1 % of the photographs have failed.
        """
        for batch in super().__iter__():
            for name, reason in batch.pop("failed").items():
                self.skipped.add(name, reason)
            self.skipped.check()
            yield batch


def collate(samples: Sequence[Sample]) -> dict[str, Any]:
    """Stack samples to a batch; `failed` collects the unreadable photographs by name."""
    failed = {name: reason for sample in samples for name, reason in sample.failed.items()}
    images = [sample.image for sample in samples if sample.image is not None]
    if len(images) < len(samples):  # not one photograph decodes: the loader will refuse
        return {"failed": failed}
    stacked = np.ascontiguousarray(np.stack(images).transpose(0, 3, 1, 2))
    return {
        "image": torch.from_numpy(stacked),
        "index": torch.tensor([sample.number for sample in samples], dtype=torch.int64),
        "failed": failed,
    }


def start_worker(_worker: int) -> None:
    """Leave signals to the main process (Ctrl-C, Slurm's warnings and end) and use one thread."""
    for name in ("SIGINT", "SIGUSR1", "SIGUSR2"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)
    torch.set_num_threads(1)
    if not hasattr(signal, "sigwaitinfo"):  # macOS and Windows
        return
    # Obey a SIGTERM of the main process alone: Slurm sends one to all processes of a job, and if
    # workers ended then, the main process would fail in the midst of a step, where it cannot
    # write a checkpoint any more. Threads inherit the mask: the signal waits for who asks for it.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    main = os.getppid()

    def listen() -> None:
        while signal.sigwaitinfo({signal.SIGTERM}).si_pid != main:
            pass
        os._exit(0)  # at once, whatever the main thread is in

    threading.Thread(target=listen, name="end", daemon=True).start()
