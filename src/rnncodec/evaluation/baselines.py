"""The codecs a user would pick instead, through Pillow: JPEG, JPEG 2000, WebP, AVIF, JPEG XL."""

import importlib
import importlib.metadata
import importlib.util
import io
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import PIL
from PIL import Image, features

from rnncodec.errors import DataError
from rnncodec.evaluation.codecs import CodedImage
from rnncodec.images.reading import Pixels, open_image, to_rgb

_REFUSALS = (OSError, ValueError, RuntimeError)
"""What Pillow and its plugins raise for an image that a format cannot hold."""


@dataclass(frozen=True)
class Baseline:
    """A format that Pillow writes, at a series of quality settings.

    Attributes:
        name: what tables and pictures call it.
        format: Pillow's name of the format.
        settings: the qualities that are measured, 0.1 to 2 bpp on photographs where the format
            goes so low.
        ladder: every quality that can be asked for.
        options: further arguments of ``Image.save``.
        feature: what Pillow must have been built with.
        plugin: a module that teaches Pillow this format, and the package it comes in.
    """

    name: str
    format: str
    settings: tuple[float, ...]
    ladder: tuple[float, ...]
    options: Mapping[str, Any] = field(default_factory=dict)
    feature: str = ""
    plugin: tuple[str, str] | None = None

    suffix = None  # its files can be made again in no time

    def identity(self) -> dict[str, Any]:
        """Name, settings and the version of every library that writes its files."""
        return {
            "baseline": self.name,
            "format": self.format,
            "settings": [self.label(setting) for setting in self.settings],
            "options": dict(self.options),
            "libraries": self.libraries(),
        }

    def libraries(self) -> dict[str, str | None]:
        """Versions: of Pillow, of the library it codes this format with, of the plugin."""
        parts = [self.feature, *(["libjpeg_turbo"] if self.feature == "jpg" else [])]
        found = {part: features.version(part) for part in parts if part}
        if self.plugin is not None:
            found[self.plugin[1]] = importlib.metadata.version(self.plugin[1])
        return {"pillow": PIL.__version__} | found

    def missing(self) -> str | None:
        """Why this installation cannot write the format; None if it can."""
        if self.feature and not features.check(self.feature):
            return f"{self.name}: this Pillow was built without {self.feature}; install a full one"
        if self.plugin is not None and importlib.util.find_spec(self.plugin[0]) is None:
            return (
                f"{self.name}: {self.plugin[1]} is not installed; run: pip install 'rnncodec[jxl]'"
            )
        return None

    def label(self, setting: float) -> str:
        """A setting as the table of results has it.

        Examples:
            >>> BASELINES["webp"].label(40), BASELINES["jpeg2000"].label(0.125)
            ('q=40', 'bpp=0.125')
        """
        return f"q={setting:g}"

    def arguments(self, setting: float) -> dict[str, Any]:
        """The arguments of ``Image.save`` that ask for a setting."""
        return {"quality": int(setting), **self.options}

    def encode(self, image: Pixels, setting: float, **more: Any) -> bytes:
        """The file of an image (H, W, 3) at one of ``ladder``.

        ``more`` are arguments of ``Image.save`` beside those of the setting, or instead.

        Raises:
            DataError: the format cannot hold this image.
        """
        self._register()
        file = io.BytesIO()
        try:
            Image.fromarray(image).save(file, self.format, **self.arguments(setting) | more)
        except _REFUSALS as error:
            size = f"{image.shape[1]}x{image.shape[0]}"
            raise DataError(
                f"{self.name} cannot write this image of {size} at {self.label(setting)}: {error}"
            ) from error
        return file.getvalue()

    def decode(self, data: bytes) -> Pixels:
        """What a file shows, uint8 (H, W, 3); DataError if it cannot be read."""
        self._register()
        with open_image(io.BytesIO(data), name=f"file of {self.name}") as image:
            return to_rgb(image)

    def code(self, image: Pixels) -> Iterator[CodedImage]:
        """Every one of ``settings``, written and read back; DataError as of :meth:`encode`."""
        for setting in self.settings:
            start = time.perf_counter()
            data = self.encode(image, setting)
            written = time.perf_counter()
            picture = self.decode(data)
            seconds = written - start, time.perf_counter() - written
            yield CodedImage(self.label(setting), None, data, picture, *seconds)

    def _register(self) -> None:
        if self.plugin is not None:
            importlib.import_module(self.plugin[0])


@dataclass(frozen=True)
class RateBaseline(Baseline):
    """A format that takes a target rate: settings are bits per pixel of RGB."""

    def label(self, setting: float) -> str:
        """A setting as the table of results has it."""
        return f"bpp={setting:g}"

    def arguments(self, setting: float) -> dict[str, Any]:
        """The rate as the ratio to 24 bits."""
        return {"quality_mode": "rates", "quality_layers": [24 / setting], **self.options}


QUALITIES = tuple(float(q) for q in range(1, 101))
JPEG_GRID = (1.0, 4.0, 8.0, 12.0, 18.0, 25.0, 35.0, 50.0, 65.0, 75.0, 85.0, 92.0)
JXL_GRID = tuple(map(float, (0, 4, 7, 10, 13, 19, 23, 27, 32, 42, 51, 60, 72, 80, 87, 92)))
"""Up to 18 it codes at half the size: most photographs have larger and worse files at 14 to 18
than at 19. Of these settings none is dominated by another quality on most photographs."""
RATES = tuple(round(0.02 * 1.02**k, 5) for k in range(300))
"""0.02 to 7.5 bpp, in steps of 2 %."""


def jpeg(name: str, **options: Any) -> Baseline:
    """A way to write JPEG; the same quality and subsampling give the same picture."""
    return Baseline(name, "JPEG", JPEG_GRID, QUALITIES, options, feature="jpg")


_ALL = (
    jpeg("jpeg-420", subsampling="4:2:0", optimize=False),
    jpeg("jpeg-420-optimized", subsampling="4:2:0", optimize=True),
    jpeg("jpeg-420-progressive", subsampling="4:2:0", progressive=True),
    jpeg("jpeg-444", subsampling="4:4:4", optimize=False),
    jpeg("jpeg-444-optimized", subsampling="4:4:4", optimize=True),
    RateBaseline(
        "jpeg2000",
        "JPEG2000",
        (0.08, 0.125, 0.19, 0.25, 0.375, 0.5, 0.7, 0.9, 1.2, 1.5, 1.8, 2.2),
        RATES,
        # Pillow's defaults are the lossless wavelet, cut, and no colour transform: 5 dB less
        {"irreversible": True, "mct": 1},
        feature="jpg_2000",
    ),
    Baseline(
        "webp",
        "WEBP",
        (0.0, 2.0, 6.0, 12.0, 20.0, 30.0, 45.0, 60.0, 72.0, 80.0, 87.0, 92.0),
        (0.0, *QUALITIES),
        {"method": 6},
        feature="webp",
    ),
    Baseline(
        "avif",
        "AVIF",
        (4.0, 10.0, 18.0, 25.0, 32.0, 39.0, 46.0, 53.0, 60.0, 69.0, 78.0, 87.0),
        (0.0, *QUALITIES),
        {"speed": 6, "max_threads": 1},
        feature="avif",
    ),
    Baseline(
        "jxl",
        "JXL",
        JXL_GRID,
        (0.0, *QUALITIES[:-1]),  # 100 is lossless, another way of coding
        {"effort": 7, "num_threads": 1},
        plugin=("pillow_jxl", "pillow-jxl-plugin"),
    ),
)
BASELINES: dict[str, Baseline] = {baseline.name: baseline for baseline in _ALL}
"""All baselines by name, in the order of tables."""


@dataclass(frozen=True)
class Trial:
    """What a setting makes of an image: the file's bytes, and the picture's mean squared error."""

    setting: float
    bytes: int
    error: float


def trials(baseline: Baseline, image: Pixels) -> list[Trial]:
    """Every setting of the ladder, tried.

    None can be passed over: with a higher setting the file of an image may shrink, and its
    quality fall. JPEG XL codes at half the size below a quality; WebP and JPEG vary a little.

    Raises:
        DataError: the format cannot hold this image.
    """
    found = []
    for setting in baseline.ladder:
        data = baseline.encode(image, setting)
        difference = baseline.decode(data).astype(np.int32) - image
        found.append(Trial(setting, len(data), float(np.square(difference).mean())))
    return found


def best_trial(tried: Sequence[Trial], max_bytes: int) -> Trial | None:
    """The one with the least error of those that take no more than ``max_bytes``; None if none.

    Of those with equal errors it is the smallest, and of equal files that of the highest setting.
    """
    fitting = [trial for trial in tried if trial.bytes <= max_bytes]
    return min(fitting, key=lambda t: (t.error, t.bytes, -t.setting), default=None)


def encode_to_size(baseline: Baseline, image: Pixels, max_bytes: int) -> tuple[float, bytes]:
    """The best file of an image (H, W, 3) of at most ``max_bytes``: its setting, and the file.

    Best is the least squared error, of all settings of the ladder.

    Raises:
        DataError: even the smallest file takes more; the format cannot hold this image.
    """
    tried = trials(baseline, image)
    best = best_trial(tried, max_bytes)
    if best is None:
        least = smallest(tried)
        raise DataError(
            f"{baseline.name}: its smallest file of this image, {baseline.label(least.setting)}, "
            f"takes {least.bytes} bytes, and {max_bytes} were asked for"
        )
    return best.setting, baseline.encode(image, best.setting)


def smallest(tried: Sequence[Trial]) -> Trial:
    """The one with the smallest file; of several, that with the least error."""
    return min(tried, key=lambda trial: (trial.bytes, trial.error))
