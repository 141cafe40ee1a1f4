"""Where in its photograph or tile sample `i` of training is, and how much it is shrunk."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil

import numpy as np
from PIL import Image

from rnncodec import rng_streams
from rnncodec.errors import ConfigError
from rnncodec.images.reading import Pixels
from rnncodec.rng_streams import Stream

_LANCZOS = 3  # lobes: how far around a pixel the filter looks, in pixels of the smaller picture


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

    def positions(self, width: int, height: int) -> int:
        """How many places the largest crop, of `source_side` pixels, has in a picture."""
        return (width - self.source_side + 1) * (height - self.source_side + 1)

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

    Raises:
        ConfigError: not in (0, 1], or not in rising order.

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


def centre_crop(image: Pixels, most: int, *, multiple: int = 1) -> Pixels:
    """The centre of an image (H, W, 3), its sides at most `most` and multiples of a number."""
    height, width = (min(side, most) // multiple * multiple for side in image.shape[:2])
    top, left = (image.shape[0] - height) // 2, (image.shape[1] - width) // 2
    return np.ascontiguousarray(image[top : top + height, left : left + width])


def draw(seed: int, index: int, count: int = 4) -> list[int]:
    """64-bit numbers that depend on (seed, index) alone, on every NumPy version."""
    numbers: list[int] = rng_streams.draw(seed, Stream.CROPS, index, count).tolist()
    return numbers


def scale(number: int, below: int) -> int:
    """Map a uniform 64-bit number to 0..below-1, uniform to within below / 2**64."""
    return (number * below) >> 64
