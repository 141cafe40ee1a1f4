"""A baseline codec: pixels rounded to fewer bits, then zlib."""

import time
import zlib
from collections.abc import Iterator
from typing import Any

import numpy as np

from rnncodec.evaluation.codecs import CodedImage
from rnncodec.images.reading import Pixels


class Zlib:
    """Measured by ``rnncodec evaluate --baselines zlib``."""

    name = "zlib"
    suffix = None  # its files are not stored

    def identity(self) -> dict[str, Any]:
        """What its results depend on; with another ``version`` they are measured again."""
        return {"baseline": self.name, "version": 1, "zlib": zlib.ZLIB_VERSION}

    def code(self, image: Pixels) -> Iterator[CodedImage]:
        """A file of uint8 (H, W, 3) for each number of bits, and the picture it holds."""
        for bits in (1, 2, 3, 4):
            start, shift = time.perf_counter(), 8 - bits
            data = zlib.compress((image >> shift).tobytes(), 9)
            written = time.perf_counter()
            levels = np.frombuffer(zlib.decompress(data), np.uint8).reshape(image.shape)
            picture = (levels << shift) + np.uint8(1 << (shift - 1))
            times = written - start, time.perf_counter() - written
            yield CodedImage(f"bits={bits}", None, data, picture, *times)
