"""How far a run is, for whoever wants to know."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass
class Progress:
    """How far a run is: images in all, done, and what came of them.

    It is told first while a long source is listed, next before the first image is done.

    Attributes:
        images: how many there are in this part.
        resumed: how many were done before this process.
        done: how many are done by now.
        tiles: how many are written or waiting to be.
        rejected: how many by kind.
        listed: while the source is listed, how many files or images were found so far.
    """

    images: int
    resumed: int = 0
    done: int = 0
    tiles: int = 0
    rejected: Counter[str] = field(default_factory=Counter)
    listed: int | None = None


Report = Callable[[Progress], None]
