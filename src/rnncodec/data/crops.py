"""Training crops (paper section 3.3): sample `i` is a pure function of the seed and of `i`."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import accumulate
from math import ceil
from typing import Any

import numpy as np
from PIL import Image
from torch.utils.data import Dataset

from rnncodec import rng_streams
from rnncodec.data.photos import Photos
from rnncodec.data.resumable import Sample
from rnncodec.errors import ConfigError, DataError
from rnncodec.images.reading import Pixels
from rnncodec.rng_streams import Stream

_LANCZOS = 3  # lobes: how far around a pixel the filter looks, in pixels of the smaller picture
_STRIDE = 64  # samples looked at for each one taken: more than there are workers and devices


@dataclass(frozen=True)
class RandomCrop:
    """Crops by global sample index: every position equally likely, mirrored with probability 1/2.

    With `shrink` = (least, most) below 1 a crop is what shrinking the whole picture to a share of
    its sides would leave there, a share drawn uniformly from least to most (Lanczos, of Pillow).

    The numbers come from `Stream.CROPS` of the seed.
    """

    crop: int
    seed: int
    shrink: tuple[float, float] = (1.0, 1.0)

    @property
    def source_side(self) -> int:
        """Pixels of the largest crop before it is shrunk: what a side of a picture must have."""
        return ceil(self.crop / self.shrink[0])

    def describe(self) -> str:
        """The settings, for messages: `data.crop=64`, with what shrinking makes of it."""
        if self.source_side == self.crop:
            return f"data.crop={self.crop}"
        least, side = f"{self.shrink[0]:g}", self.source_side
        return f"data.crop={self.crop} at data.shrink={least}, of {side}x{side} pixels"

    def cut(self, image: Pixels, index: int) -> Pixels:
        """The crop of a sample out of its picture (H, W, 3): (crop, crop, 3)."""
        _, down, right, flip, share = draw(self.seed, index, 5)
        least, most = self.shrink
        side = self.crop / (least + (most - least) * (share / 2**64))
        height, width, _ = image.shape
        top = scale(down, height - ceil(side) + 1)
        left = scale(right, width - ceil(side) + 1)
        if side == self.crop:
            window = image[top : top + self.crop, left : left + self.crop]
        else:
            window = resized(image, top, left, side, self.crop)
        return window[:, ::-1] if scale(flip, 2) else window


def shrink_range(shrink: float | Sequence[float]) -> tuple[float, float]:
    """(least, most) of the setting `data.shrink`: a number, or two of them.

    >>> shrink_range(0.6)
    (0.6, 0.6)
    """
    given = list(shrink) if isinstance(shrink, Sequence) else [shrink, shrink]
    numbers = all(isinstance(share, int | float) for share in given)
    if numbers and len(given) == 2 and 0 < given[0] <= given[1] <= 1:
        return float(given[0]), float(given[1])
    raise ConfigError(
        f"data.shrink={shrink}: expected a share of the sides above 0 and up to 1, "
        "or the least and the most of them, as in [0.5,1]"
    )


def resized(image: Pixels, top: int, left: int, side: float, to: int) -> Pixels:
    """A square of an image (H, W, 3), `side` pixels wide -> (to, to, 3)."""
    # only a part is handed to Pillow, which copies it: what the filter looks at, and no less
    margin = ceil(_LANCZOS * side / to) + 1
    above, before = max(0, top - margin), max(0, left - margin)
    below, behind = ceil(top + side) + margin, ceil(left + side) + margin
    part = Image.fromarray(image[above:below, before:behind])
    x, y = left - before, top - above
    box = (x, y, x + side, y + side)
    return np.asarray(part.resize((to, to), Image.Resampling.LANCZOS, box=box))


def draw(seed: int, index: int, count: int = 4) -> list[int]:
    """64-bit numbers that depend on (seed, index) alone, on every NumPy version."""
    numbers: list[int] = rng_streams.draw(seed, Stream.CROPS, index, count).tolist()
    return numbers


def scale(number: int, below: int) -> int:
    """Map a uniform 64-bit number to 0..below-1, uniform to within below / 2**64."""
    return (number * below) >> 64


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
        self.ahead_mb = ahead_mb
        beyond = random_crop.source_side - 1
        self._ends = list(accumulate((w - beyond) * (h - beyond) for w, h in sizes))
        self._failed: dict[str, str] = {}
        reach = int(ahead_mb * 2**20) // (3 * random_crop.crop**2)
        self._readahead = CropReadahead(self._photograph, reach)

    def __getitem__(self, index: int) -> Sample:
        if (window := self._readahead.take(index)) is not None:
            return Sample(index, window, {})
        first = self._photograph(index)
        decoded = not self.photos.has(first)
        failed: dict[str, str] = {}
        for step in range(len(self.photos)):
            which = (first + step) % len(self.photos)
            name, path = self.photos.names[which], self.photos.paths[which]
            if name not in self._failed:
                try:
                    image = self.photos.load(which)
                    if min(image.shape[:2]) < self.random_crop.source_side:
                        raise DataError(f"{path} decodes to fewer pixels than its header states")
                except DataError as error:
                    self._failed[name] = str(error)
                else:
                    if decoded:
                        self._readahead.cut(first, partial(self.random_crop.cut, image))
                    return Sample(index, self.random_crop.cut(image, index), failed)
            failed[name] = self._failed[name]
        return Sample(index, None, failed)

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
        sizes = [self.sizes[index] for index in large]
        crops = RandomCrop(crop, seed)
        return Crops(self.photos.subset(large), sizes, crops, ahead_mb=self.ahead_mb)

    def _photograph(self, index: int) -> int:
        """The photograph of a sample, if it decodes."""
        which = draw(self.random_crop.seed, index)[0]
        return int(np.searchsorted(self._ends, scale(which, self._ends[-1]), side="right"))
