"""LightningDataModules: endless, resumable training crops and held-out validation images."""

import logging
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset

from rnncodec.data.crops import Crops
from rnncodec.data.photos import (
    DEMO_SPLITS,
    DemoPhotos,
    FolderPhotos,
    Photos,
    SkippedImages,
    hash_fraction,
)
from rnncodec.data.random_crop import RandomCrop, centre_crop, shrink_range
from rnncodec.data.resumable import CropLoader, InfiniteBatches, InfiniteDataModule, Sample
from rnncodec.errors import ConfigError, DataError
from rnncodec.images.reading import Pixels, read_size

READAHEAD = 0.25
"""Share of the cache for crops that are cut before their turn."""

_log = logging.getLogger(__name__)


class CropData(InfiniteDataModule):
    """Training crops and whole validation images from one set of photographs.

    Training: `{"image": uint8 (B, 3, crop, crop), "index": int64 (B,)}` without end. `batch_size`
    is that of all devices together; sample `index` is a function of (seed, index) alone, and the
    first index is that of the attached trainer's `global_step`: a run resumes exactly.
    Validation: `{"image": uint8 (1, 3, H, W), "name": str}`, up to `val_images` held-out
    photographs, centre-cropped to at most `val_size` and to multiples of 16; each device has its
    share, none twice. Give the Trainer `use_distributed_sampler=False`.

    With `shrink` below 1 the training photographs are shrunk to that share of their sides, or to
    one between [least, most] that every crop draws anew; validation sees all pixels. Shrinking
    takes away the artefacts of JPEG, and brings more detail into a crop.

    `cache_mb` bounds the decoded training images and the crops cut before their turn, all loader
    workers together.
    """

    def __init__(
        self,
        *,
        batch_size: int = 32,
        crop: int = 32,
        val_images: int = 16,
        val_size: int = 256,
        num_workers: int = 0,
        cache_mb: float = 1024,
        seed: int = 0,
        shrink: float | Sequence[float] = 1,
    ) -> None:
        super().__init__()
        if crop < 16 or crop % 16:
            raise ConfigError(
                f"data.crop={crop}: expected a multiple of 16, at least 16 (a code covers 16x16)"
            )
        least = {"batch_size": 1, "val_images": 1, "val_size": 16}
        given = (batch_size, val_images, val_size, num_workers, cache_mb, seed)
        for name, value in zip((*least, "num_workers", "cache_mb", "seed"), given, strict=True):
            if value < least.get(name, 0):
                raise ConfigError(f"data.{name}={value}: expected at least {least.get(name, 0)}")
        self.batch_size = batch_size
        self.crop = crop
        self.random_crop = RandomCrop(crop, seed, shrink_range(shrink))
        self.val_images = val_images
        self.val_size = val_size
        self.num_workers = num_workers
        self.cache_mb = cache_mb
        self._excluded: set[Path] = set()
        self._crops: Crops | None = None
        self._training: Dataset[Sample] | None = None
        self._skipped: SkippedImages | None = None
        self._validation: list[tuple[str, Pixels]] = []

    def photographs(self) -> Photos:
        """All photographs, for training and validation together."""
        raise NotImplementedError

    def is_held_out(self, name: str) -> bool:
        """Whether the photograph is for validation."""
        raise NotImplementedError

    def exclude(self, paths: Iterable[Path]) -> None:
        """Leave these files (evaluation images) out of training and validation; before setup."""
        assert self._crops is None, "exclude() comes before setup()"
        self._excluded |= {Path(path).resolve() for path in paths}

    def setup(self, stage: str | None = None) -> None:
        """Find the photographs, check every header, decode the validation images.

        Raises:
            DataError: nothing found, over 1 % skipped, or no image left for one of the sets.
        """
        if self._crops is not None:
            return
        photos = self._without_excluded(self.photographs())
        skipped = SkippedImages(len(photos), where=self._where())
        sizes = self._usable_sizes(photos, skipped)
        skipped.check()
        held = [index for index in sizes if self.is_held_out(photos.names[index])]
        train = sorted(set(sizes).difference(held))
        self._validation = load_validation(
            photos.subset(held, cache_mb=0), skipped, most=self.val_images, size=self.val_size
        )
        for count, missing in ((len(train), "training"), (len(self._validation), "validation")):
            if not count:
                raise DataError(
                    f"no image of {self._where()} is left for {missing}; {self._advice(missing)}"
                )
        budget = self.cache_mb / max(1, self.num_workers)  # each worker has a cache of its own
        self._crops = Crops(
            photos.subset(train, cache_mb=(1 - READAHEAD) * budget),
            [sizes[i] for i in train],
            self.random_crop,
            ahead_mb=READAHEAD * budget,
        )
        self._training, self._skipped = self._crops, skipped

    def train_dataloader(self) -> CropLoader:
        """This device's share of every batch.

        Raises:
            ConfigError: the batch cannot be divided among the devices.
        """
        assert self._training is not None, "setup() comes first"
        assert self._skipped is not None
        return CropLoader(
            self._training,
            self.batches(),
            self._skipped,
            num_workers=self.num_workers,
            pin_memory=self.on_cuda(),
        )

    def crops_of(self, crop: int, *, batch_size: int, seed: int) -> CropLoader:
        """Batches of crops of another size from the training photographs, not shrunk.

        Raises:
            ConfigError: no training photograph is that large.
        """
        assert self._crops is not None, "setup() comes first"
        assert self._skipped is not None
        crops = self._crops.of_size(crop, seed=seed)
        return CropLoader(crops, InfiniteBatches(lambda: 0, batch_size), self._skipped)

    def val_dataloader(self) -> DataLoader[dict[str, Any]]:
        """This device's share of the validation images, one a batch.

        Raises:
            ConfigError: fewer validation images than devices (an idle device would block all).
        """
        assert self._crops is not None, "setup() comes first"
        rank, ranks = self.rank()
        if len(self._validation) < ranks:
            raise ConfigError(
                f"{len(self._validation)} validation images are too few for {ranks} devices; "
                "raise data.val_images, hold out more images, or use fewer devices"
            )
        share = ValidationImages(self._validation[rank::ranks])
        return DataLoader(share, batch_size=None, generator=torch.Generator())

    @property
    def train_names(self) -> list[str]:
        """Names of the photographs that crops come from (after setup)."""
        return [] if self._crops is None else self._crops.photos.names

    @property
    def val_names(self) -> list[str]:
        """Names of the validation images (after setup), over all devices."""
        return [name for name, _ in self._validation]

    def _where(self) -> str:
        return "the data set"

    def _usable_sizes(self, photos: Photos, skipped: SkippedImages) -> dict[int, tuple[int, int]]:
        whole = RandomCrop(self.random_crop.crop, self.random_crop.seed)
        sizes: dict[int, tuple[int, int]] = {}
        for index, (name, path) in enumerate(zip(photos.names, photos.paths, strict=True)):
            try:
                width, height = read_size(path)
            except DataError as error:
                skipped.add(name, str(error))
                continue
            random_crop = whole if self.is_held_out(name) else self.random_crop
            if min(width, height) < random_crop.source_side:
                reason = f"{width}x{height} pixels is smaller than {random_crop.describe()}"
                skipped.add(name, reason)
            else:
                sizes[index] = (width, height)
        return sizes

    def _without_excluded(self, photos: Photos) -> Photos:
        if not self._excluded:
            return photos
        left = [i for i, path in enumerate(photos.paths) if path.resolve() not in self._excluded]
        left_out = len(photos) - len(left)
        if left_out:
            _log.info("left out %d evaluation images of %s", left_out, self._where())
        if not left:
            raise DataError(
                f"all {len(photos)} images of {self._where()} are evaluation images, none is left "
                "for training; choose another data.root or another eval"
            )
        return photos.subset(left)

    def _advice(self, missing: str) -> str:
        return "too many are evaluation images: choose another eval"


class DemoData(CropData):
    """The photographs inside scikit-image: nothing to download, splits fixed by name."""

    def photographs(self) -> Photos:
        """The training and validation photographs; the evaluation ones are others."""
        return DemoPhotos("train", "validation", cache_mb=self.cache_mb)

    def is_held_out(self, name: str) -> bool:
        """By the fixed table."""
        return name in DEMO_SPLITS["validation"]

    def _where(self) -> str:
        return "the demo photographs"


class FolderData(CropData):
    """Every picture under `root`; a file is held out if the hash of its relative path says so.

    The split depends on no other file: adding pictures moves none from one set to the other.
    Further settings are those of `CropData`.
    """

    def __init__(
        self,
        root: str | Path,
        *,
        val_fraction: float = 0.1,
        **settings: Any,
    ) -> None:
        super().__init__(**settings)
        if not 0 < val_fraction < 1:
            raise ConfigError(f"data.val_fraction={val_fraction}: expected between 0 and 1")
        self.root = Path(root).expanduser()
        self.val_fraction = val_fraction

    def photographs(self) -> Photos:
        """What `find_images` finds."""
        return FolderPhotos(self.root, cache_mb=self.cache_mb)

    def is_held_out(self, name: str) -> bool:
        """By `hash_fraction` of the path below `root`."""
        return hash_fraction(name) < self.val_fraction

    def _where(self) -> str:
        return str(self.root)

    def _advice(self, missing: str) -> str:
        change = "lower" if missing == "training" else "raise"
        return f"{change} data.val_fraction={self.val_fraction} or add images"


class ValidationImages(Dataset[dict[str, Any]]):
    """Named images as `{"image": uint8 (1, 3, H, W), "name": str}`."""

    def __init__(self, images: list[tuple[str, Pixels]]) -> None:
        self.images = images

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> dict[str, Any]:
        name, image = self.images[index]
        planes = np.ascontiguousarray(image.transpose(2, 0, 1))[None]
        return {"image": torch.from_numpy(planes), "name": name}


def load_validation(
    held: Photos, skipped: SkippedImages, *, most: int, size: int
) -> list[tuple[str, Pixels]]:
    """Decode up to `most` held-out photographs, centre-cropped to at most `size`, sorted by name.

    They are taken in the order of `hash_fraction`: the first by name would all come from the
    first sub-folder. Photographs that fail to decode go to `skipped`.

    Raises:
        DataError: `skipped` has more than it tolerates.
    """
    order = sorted(range(len(held)), key=lambda index: hash_fraction(held.names[index]))
    loaded: list[tuple[str, Pixels]] = []
    for index in order:
        if len(loaded) == most:
            break
        try:
            image = held.load(index)
        except DataError as error:
            skipped.add(held.names[index], str(error))
            skipped.check()
            continue
        loaded.append((held.names[index], centre_crop(image, size, multiple=16)))
    return sorted(loaded, key=lambda item: item[0])
