"""Crops for samples to come, cut while their photograph is decoded anyway."""

from collections.abc import Callable
from typing import Any

import numpy as np

from rnncodec.images.reading import Pixels

_STRIDE = 64
"""So many samples are looked at for each one taken: more than there are workers and devices."""


class Ahead:
    """Which photograph each of the next samples needs, and their crops as far as they are cut.

    Decoding a photograph of 12 Mpixel takes a tenth of a second, cutting a crop out of it
    microseconds. Whoever decodes one therefore cuts what later samples need of it, too. What a
    sample is does not change, only when it is cut. Samples are asked for in rising order; those
    left out are another worker's or device's, and forgotten. Pickling carries no pixels.

    Args:
        photograph: the number of a sample -> that of its photograph.
        reach: how many samples ahead crops are kept; 0: none.
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
        """Keep the crops, ``crop(sample)``, of all samples to come that need a photograph."""
        self._crops = {sample: kept for sample, kept in self._crops.items() if sample > self._at}
        begin = self._at + 1
        for place in np.flatnonzero(self._needed == photograph).tolist():
            sample = begin + (place - begin) % self.reach
            if sample <= self._looked:
                self._crops[sample] = crop(sample).copy()  # a view would keep the photograph
