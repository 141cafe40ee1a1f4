"""Training crops (paper section 3.3): sample `i` is a pure function of the seed and of `i`."""

import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import accumulate
from typing import Any, NamedTuple

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset, Sampler

from rnncodec.data.ahead import Ahead
from rnncodec.data.cutter import Cutter, draw, scale
from rnncodec.data.photos import Photos
from rnncodec.data.unusable import Unusable
from rnncodec.errors import ConfigError, DataError
from rnncodec.images.reading import Pixels


class Sample(NamedTuple):
    """One crop (crop, crop, 3) and the photographs found unreadable on the way to it."""

    number: int
    image: Pixels | None
    failed: dict[str, str]


class Crops(Dataset[Sample]):
    """Crops by global sample index, from usable photographs of the given (W, H) header sizes.

    Every position of a crop (see `Cutter`; of the largest, where they are shrunk) of every
    photograph is equally likely, so a photograph counts nearly in proportion to its pixels. Where
    one fails to decode, the next in order that decodes takes its place, so the sample remains a
    function of (seed, index).

    Crops that later samples need of a photograph which is decoded now are cut at once, and kept
    within `ahead_mb` megabytes (2**20 bytes).
    """

    def __init__(
        self,
        photos: Photos,
        sizes: Sequence[tuple[int, int]],
        cutter: Cutter,
        *,
        ahead_mb: float = 0,
    ) -> None:
        assert len(photos) == len(sizes) > 0
        self.photos = photos
        self.sizes = list(sizes)
        self.cutter = cutter
        self._ends = list(accumulate(cutter.positions(*size) for size in sizes))
        self._failed: dict[str, str] = {}
        self.ahead_mb = ahead_mb
        self._ahead = Ahead(self.photograph, int(ahead_mb * 2**20) // (3 * cutter.crop**2))

    def __getitem__(self, index: int) -> Sample:
        window = self._ahead.take(index)
        if window is not None:
            return Sample(index, window, {})
        first = self.photograph(index)
        decoded = not self.photos.keeps(first)
        image, failed = self._load_from(first)
        if image is None:
            return Sample(index, None, failed)
        if decoded:
            self._ahead.cut(first, partial(self.cutter.cut, image))
        return Sample(index, self.cutter.cut(image, index), failed)

    def photograph(self, index: int) -> int:
        """The photograph of a sample, if it decodes."""
        which = draw(self.cutter.seed, index)[0]
        return int(np.searchsorted(self._ends, scale(which, self._ends[-1]), side="right"))

    def of_size(self, crop: int, *, seed: int) -> "Crops":
        """Crops of another size, not shrunk, from those of the photographs that are large enough.

        Raises:
            ConfigError: none is.
        """
        large = [index for index, size in enumerate(self.sizes) if min(size) >= crop]
        if not large:
            largest = max(map(min, self.sizes)) // 16 * 16
            raise ConfigError(
                f"crop={crop}: no training photograph is that large; use at most {largest}"
            )
        photos = self.photos.subset(large)
        sizes = [self.sizes[index] for index in large]
        return Crops(photos, sizes, Cutter(crop, seed), ahead_mb=self.ahead_mb)

    def _load_from(self, first: int) -> tuple[Pixels | None, dict[str, str]]:
        failed: dict[str, str] = {}
        for step in range(len(self.photos)):
            index = (first + step) % len(self.photos)
            name = self.photos.names[index]
            if name not in self._failed:
                try:
                    return self._load(index), failed
                except DataError as error:
                    self._failed[name] = str(error)
            failed[name] = self._failed[name]
        return None, failed

    def _load(self, index: int) -> Pixels:
        image = self.photos.load(index)
        if min(image.shape[:2]) < self.cutter.reach:
            path = self.photos.paths[index]
            raise DataError(f"{path} decodes to fewer pixels than its header states")
        return image


class EndlessBatches(Sampler[list[int]]):
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


class CropLoader(DataLoader[Sample]):
    """Batches `{"image": uint8 (B, 3, crop, crop), "index": int64 (B,)}`.

    They are the same for any number of workers; photographs that fail to decode are accounted for
    here, in the main process.
    """

    def __init__(
        self,
        samples: Dataset[Sample],
        batches: EndlessBatches,
        unusable: Unusable,
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
        self.unusable = unusable

    def __iter__(self) -> Iterator[Any]:  # type: ignore[override]
        """Yield batches.

        Raises:
            DataError: more than 1 % of the photographs have failed.
        """
        for batch in super().__iter__():
            for name, reason in batch.pop("failed").items():
                self.unusable.add(name, reason)
            self.unusable.check()
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
    if hasattr(signal, "sigwaitinfo"):  # not on macOS and Windows
        end_only_with_the_main_process()
    torch.set_num_threads(1)


def end_only_with_the_main_process() -> None:
    """Obey a SIGTERM of the main process alone.

    Slurm sends one to all processes of a job. If workers ended then, the main process would fail
    in the midst of a step, where it cannot write a checkpoint any more.
    """
    main = os.getppid()
    # threads inherit it, so that the signal waits for whoever asks for it
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})

    def listen() -> None:
        while signal.sigwaitinfo({signal.SIGTERM}).si_pid != main:
            pass
        os._exit(0)  # at once, whatever the main thread is in

    threading.Thread(target=listen, name="end", daemon=True).start()
