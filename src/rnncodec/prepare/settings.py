"""What `rnncodec prepare` is asked for: everything that the bytes of the result depend on."""

import zlib
from dataclasses import asdict, dataclass
from enum import StrEnum
from importlib.metadata import version
from typing import Any

from PIL import features

from rnncodec.data.tile_manifest import LARGEST_TILE
from rnncodec.errors import ConfigError
from rnncodec.version import __version__

MAX_BAD = 0.1
"""Share of the images that may be damaged or crash the decoder, if nothing else is asked for."""

DAMAGED = "damaged"
CRASHED = "crashed the decoder"


class Mode(StrEnum):
    """Which tiles of an image are taken."""

    HIGH_ENTROPY = "high-entropy"
    THUMBNAIL = "thumbnail"
    RANDOM = "random"
    ALL = "all"


class Flaw(StrEnum):
    """What is counted, and with `--filter` refused, though it decodes."""

    SMALL = "small"
    DUPLICATE = "duplicate"
    BORDER = "border"
    BLOCKING = "blocking"


@dataclass(frozen=True)
class Settings:
    """Names as on the command line, see `rnncodec prepare --help`.

    Attributes:
        mode: which tiles of an image are taken.
        tile: their side in pixels.
        keep: how many of an image at most (high-entropy, random).
        resize: (width, height) that images are shrunk to fit.
        min_side: an image with a shorter side counts as small.
        refuse: flaws for which an image is refused.
        val_fraction: of the images, by a hash of the name, from which no tile is cut.
        part: which of how many shares of the images, as (0, 1).
        shard_tiles: tiles of a shard.
        photographs: how many validation images, and training images, to store whole.
        seed: of mode random.

    Raises:
        ConfigError: a value that cannot work.
    """

    mode: Mode = Mode.HIGH_ENTROPY
    tile: int = 32
    keep: int = 100
    resize: tuple[int, int] = (1280, 720)
    min_side: int = 256
    refuse: tuple[Flaw, ...] = (Flaw.SMALL, Flaw.DUPLICATE)
    val_fraction: float = 0.1
    part: tuple[int, int] = (0, 1)
    shard_tiles: int = 8192
    photographs: int = 128
    seed: int = 0

    def __post_init__(self) -> None:
        if self.tile % 16 or not 16 <= self.tile <= LARGEST_TILE:
            raise ConfigError(
                f"--tile {self.tile}: expected a multiple of 16 from 16 to {LARGEST_TILE}"
            )
        least = {"keep": 1, "shard_tiles": 1, "photographs": 1, "seed": 0, "min_side": 0}
        for option, value in least.items():
            if getattr(self, option) < value:
                name = option.replace("_", "-")
                raise ConfigError(f"--{name} {getattr(self, option)}: expected at least {value}")
        if min(self.resize) < self.tile:
            raise ConfigError(f"--resize {self.resize[0]}x{self.resize[1]}: smaller than one tile")
        if not 0 < self.val_fraction < 1:
            raise ConfigError(f"--val-fraction {self.val_fraction}: expected between 0 and 1")
        number, count = self.part
        if not 0 <= number < count:
            raise ConfigError(f"--shard {number}/{count}: expected 0/n to n-1/n")

    def plain(self) -> dict[str, Any]:
        """As JSON holds them; the part aside, which is no setting of the whole."""
        settings = asdict(self)
        del settings["part"]
        return settings | {
            "mode": str(self.mode),
            "refuse": sorted(str(flaw) for flaw in self.refuse),
            "resize": list(self.resize),
        }


def pair(text: str, option: str, separator: str) -> tuple[int, int]:
    """`1280x720` or `3/8` -> two numbers.

    Raises:
        ConfigError: it is something else.
    """
    first, found, second = text.partition(separator)
    if not (found and first.isdecimal() and second.isdecimal()):
        raise ConfigError(f"{option} {text!r}: expected two numbers, as in 8{separator}9")
    return int(first), int(second)


def flaws(text: str) -> tuple[Flaw, ...]:
    """`small,duplicate` or `none` -> flaws.

    Raises:
        ConfigError: an unknown one.
    """
    names = [name for name in text.split(",") if name not in ("", "none")]
    for name in names:
        if name not in list(Flaw):
            raise ConfigError(f"--filter {name}: unknown; valid: {', '.join(Flaw)}, none")
    return tuple(Flaw(name) for name in sorted(set(names)))


def made_with() -> dict[str, str]:
    """Versions of everything that decides about bytes: decoders, resampling, deflate."""
    found = {"rnncodec": __version__, "numpy": version("numpy"), "pillow": version("pillow")}
    for library in ("jpg", "libjpeg_turbo", "webp", "zlib"):
        if state := features.version(library):
            found[f"pillow's {library}"] = state
    return found | {"python's zlib": zlib.ZLIB_RUNTIME_VERSION}
