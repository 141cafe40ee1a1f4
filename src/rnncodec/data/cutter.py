"""Where sample `i` of training lies in its photograph or tile, and how much it is shrunk."""

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
class Cutter:
    """Crops by global sample index: every position equally likely, mirrored with probability 1/2.

    With `shrink` = (least, most) below 1 a crop is what shrinking the whole picture to a share of
    its sides would leave there, a share drawn uniformly from least to most (Lanczos, of Pillow).

    The numbers come from Philox with key `seed` and counter `(0, index, 1, 0)`.
    """

    crop: int
    seed: int
    shrink: tuple[float, float] = (1.0, 1.0)

    @property
    def reach(self) -> int:
        """Pixels of the largest crop before it is shrunk: what a side of a picture must have."""
        return ceil(self.crop / self.shrink[0])

    def describe(self) -> str:
        """The settings, for messages: `data.crop=64`, with what shrinking makes of it."""
        if self.reach == self.crop:
            return f"data.crop={self.crop}"
        least = f"{self.shrink[0]:g}"
        return f"data.crop={self.crop} at data.shrink={least}, of {self.reach}x{self.reach} pixels"

    def positions(self, width: int, height: int) -> int:
        """In how many places the largest crop, of `reach` pixels, can lie in a picture."""
        return (width - self.reach + 1) * (height - self.reach + 1)

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
            window = shrunk(image, top, left, side, self.crop)
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


def shrunk(image: Pixels, top: int, left: int, side: float, to: int) -> Pixels:
    """A square of an image (H, W, 3), `side` pixels wide, as `to` pixels of the shrunk image."""
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
