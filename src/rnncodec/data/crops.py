"""Training crops (paper section 3.3): sample `i` is a pure function of the seed and of `i`."""

from collections.abc import Callable, Sequence
from functools import partial
from itertools import accumulate
from typing import Any

import numpy as np
from torch.utils.data import Dataset

from rnncodec.data.photos import Photos
from rnncodec.data.random_crop import RandomCrop, draw, scale
from rnncodec.data.resumable import Sample
from rnncodec.errors import ConfigError, DataError
from rnncodec.images.reading import Pixels

_STRIDE = 64
"""Samples looked at for each one taken: more than there are workers and devices."""


class CropReadahead:
    """Which photograph each of the next samples needs, and their crops as far as they are cut.

    Decoding a photograph of 12 Mpixel takes a tenth of a second, cutting a crop out of it
    microseconds. So whoever decodes one cuts what later samples need of it, too. Samples are
    asked for in rising order; those left out are another worker's or device's. Pickling carries
    no pixels.

    Args:
        photograph: the number of a sample -> that of its photograph.
        reach: how many samples ahead crops are stored; 0: none.
    """

    def __init__(self, photograph: Callable[[int], int], reach: int) -> None:
        self.photograph = photograph
        self.reach = reach
        self._needed = np.empty(reach, np.int64)  # that of sample i at i % reach
        self._crops: dict[int, Pixels] = {}
        self._at = self._looked = 0

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_crops": {}}

    def take(self, sample: int) -> Pixels | None:
        """The crop of a sample, if it has been cut."""
        if not self._at < sample <= self._looked:
            self._looked = sample
            self._crops.clear()
        self._at = sample
        for later in range(self._looked + 1, min(sample + self.reach, self._looked + _STRIDE) + 1):
            self._needed[later % self.reach] = self.photograph(later)
            self._looked = later
        return self._crops.pop(sample, None)

    def cut(self, photograph: int, crop: Callable[[int], Pixels]) -> None:
        """Store the crops, ``crop(sample)``, of all later samples that need a photograph."""
        self._crops = {sample: found for sample, found in self._crops.items() if sample > self._at}
        begin = self._at + 1
        for place in np.flatnonzero(self._needed == photograph).tolist():
            sample = begin + (place - begin) % self.reach
            if sample <= self._looked:
                self._crops[sample] = crop(sample).copy()  # a view would hold the photograph


class Crops(Dataset[Sample]):
    """Crops by global sample index, from usable photographs of the given (W, H) header sizes.

    Every position of a crop (of the largest, where they are shrunk) of every photograph is
    equally likely, so a photograph counts nearly in proportion to its pixels. Where one fails to
    decode, the next in order that decodes takes its place, so the sample remains a function of
    (seed, index).

    Crops that later samples need of a photograph which is decoded now are cut at once, and stored
    within `ahead_mb` megabytes (2**20 bytes).
    """

    def __init__(
        self,
        photos: Photos,
        sizes: Sequence[tuple[int, int]],
        random_crop: RandomCrop,
        *,
        ahead_mb: float = 0,
    ) -> None:
        assert len(photos) == len(sizes) > 0
        self.photos = photos
        self.sizes = list(sizes)
        self.random_crop = random_crop
        self._ends = list(accumulate(random_crop.positions(*size) for size in sizes))
        self._failed: dict[str, str] = {}
        self.ahead_mb = ahead_mb
        self._readahead = CropReadahead(
            self.photograph, int(ahead_mb * 2**20) // (3 * random_crop.crop**2)
        )

    def __getitem__(self, index: int) -> Sample:
        window = self._readahead.take(index)
        if window is not None:
            return Sample(index, window, {})
        first = self.photograph(index)
        decoded = not self.photos.has(first)
        image, failed = self._load_from(first)
        if image is None:
            return Sample(index, None, failed)
        if decoded:
            self._readahead.cut(first, partial(self.random_crop.cut, image))
        return Sample(index, self.random_crop.cut(image, index), failed)

    def photograph(self, index: int) -> int:
        """The photograph of a sample, if it decodes."""
        which = draw(self.random_crop.seed, index)[0]
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
        return Crops(photos, sizes, RandomCrop(crop, seed), ahead_mb=self.ahead_mb)

    def _load_from(self, first: int) -> tuple[Pixels | None, dict[str, str]]:
        failed: dict[str, str] = {}
        for step in range(len(self.photos)):
            index = (first + step) % len(self.photos)
            name, path = self.photos.names[index], self.photos.paths[index]
            if name not in self._failed:
                try:
                    image = self.photos.load(index)
                    if min(image.shape[:2]) < self.random_crop.source_side:
                        raise DataError(f"{path} decodes to fewer pixels than its header states")
                except DataError as error:
                    self._failed[name] = str(error)
                else:
                    return image, failed
            failed[name] = self._failed[name]
        return None, failed
