"""Ordered sets of named photographs, decoded on demand and cached; images that are skipped."""

import hashlib
import logging
from collections import OrderedDict
from collections.abc import Collection, Iterable, Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

import numpy as np

from rnncodec.errors import DataError
from rnncodec.images.reading import Pixels, find_images, read_image

_log = logging.getLogger(__name__)

Split = Literal["train", "validation", "evaluation"]

# Photographs inside the scikit-image wheel, all CC0 or public domain by its documentation.
# A split is fixed by name. The two motorcycles are one stereo pair, so they stay together.
# Left out: drawings, scanned text, and retina.jpg and hubble_deep_field.jpg, whose three million
# pixels of smooth red and of black would outweigh all the rest.
DEMO_SPLITS: dict[Split, tuple[str, ...]] = {
    "train": (
        "astronaut.png",
        "brick.png",
        "grass.png",
        "gravel.png",
        "ihc.png",
        "motorcycle_left.png",
        "motorcycle_right.png",
    ),
    "validation": ("camera.png", "rocket.jpg"),
    "evaluation": ("chelsea.png", "coffee.png"),
}


class Photos:
    """An ordered set of photographs: a name and a file each.

    Decoded images are cached, least recently used dropped first, within `cache_mb` megabytes
    (2**20 bytes). Pickling carries the files and the budget, never the pixels.
    """

    def __init__(
        self, paths: Sequence[Path], names: Sequence[str], *, cache_mb: float = 1024
    ) -> None:
        assert len(paths) == len(names)
        self.paths, self.names = list(paths), list(names)
        self.cache_mb = cache_mb
        self._cache: OrderedDict[int, Pixels] = OrderedDict()
        self._cached_bytes = 0

    def __len__(self) -> int:
        return len(self.names)

    def __iter__(self) -> Iterator[tuple[str, Pixels]]:
        """Yield (name, image) in order, images as from `load`."""
        for index, name in enumerate(self.names):
            yield name, self.load(index)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_cache": OrderedDict(), "_cached_bytes": 0}

    def load(self, index: int) -> Pixels:
        """Photograph `index` as read-only uint8 (H, W, 3).

        Raises:
            DataError: the file cannot be decoded; the message names it.
        """
        if index in self._cache:
            self._cache.move_to_end(index)
            return self._cache[index]
        image = read_image(self.paths[index])
        image.setflags(write=False)  # it is shared with the cache
        capacity = int(self.cache_mb * 2**20)
        if image.nbytes <= capacity:
            self._cache[index] = image
            self._cached_bytes += image.nbytes
            while self._cached_bytes > capacity:
                _, dropped = self._cache.popitem(last=False)
                self._cached_bytes -= dropped.nbytes
        return image

    def has(self, index: int) -> bool:
        """Whether photograph `index` is in the cache, decoded."""
        return index in self._cache

    def subset(self, indices: Iterable[int], *, cache_mb: float | None = None) -> "Photos":
        """The photographs at `indices`, in that order, with a cache of their own."""
        chosen = list(indices)
        paths, names = [self.paths[i] for i in chosen], [self.names[i] for i in chosen]
        return Photos(paths, names, cache_mb=self.cache_mb if cache_mb is None else cache_mb)


class FolderPhotos(Photos):
    """Every picture under a folder, named by its relative POSIX path (see `find_images`)."""

    def __init__(
        self, root: str | Path, *, exclude: Collection[Path] = (), cache_mb: float = 1024
    ) -> None:
        self.root = Path(root).expanduser()
        paths = find_images(self.root, exclude)
        names = [path.relative_to(self.root).as_posix() for path in paths]
        super().__init__(paths, names, cache_mb=cache_mb)


class DemoPhotos(Photos):
    """The photographs of one or more `DEMO_SPLITS`, from the installed scikit-image."""

    def __init__(self, *splits: Split, cache_mb: float = 1024) -> None:
        names = [name for split in splits for name in DEMO_SPLITS[split]]
        spec = find_spec("skimage")  # found, not imported, which takes its time
        if spec is None or spec.origin is None:
            raise DataError(
                "the demo photographs ship inside scikit-image, which is not installed; "
                "run: pip install 'rnncodec[eval]'"
            )
        folder = Path(spec.origin).parent / "data"
        super().__init__([folder / name for name in names], names, cache_mb=cache_mb)


class SkippedImages:
    """Images skipped so far, out of `total`; `where` names the set in messages."""

    def __init__(self, total: int, where: str) -> None:
        self.total = total
        self.where = where
        self.reasons: dict[str, str] = {}

    def add(self, name: str, reason: str) -> None:
        """Count an image in; the first time it is logged with its reason and the count so far."""
        if name not in self.reasons:
            self.reasons[name] = reason
            _log.warning("skipping %s (%d of %d): %s", name, len(self.reasons), self.total, reason)

    def check(self) -> None:
        """Raise DataError, naming up to five images, if too many of them cannot be used.

        1 % may be skipped, and of a small set three too, but no more than one in four.
        """
        count, most = len(self.reasons), max(self.total // 100, min(3, self.total // 4))
        if count <= most:
            return
        shown = [f"{name} ({reason})" for name, reason in list(self.reasons.items())[:5]]
        shown += [f"and {count - 5} more"] if count > 5 else []
        raise DataError(
            f"{count} of {self.total} images of {self.where} cannot be used, at most "
            f"{most} may be skipped: {'; '.join(shown)}; "
            "remove or repair them (where too small, lower data.crop or raise data.shrink)"
        )


def hash_fraction(name: str) -> float:
    """A number in [0, 1) that depends on the name alone, the same on every machine.

    >>> round(hash_fraction("holiday/beach.jpg"), 4)
    0.5721
    """
    digest = hashlib.blake2b(name.encode("utf-8", "surrogateescape"), digest_size=6).digest()
    return int.from_bytes(digest, "big") / 2**48


def centre_crop(image: Pixels, most: int, *, multiple: int = 1) -> Pixels:
    """The centre of an image (H, W, 3), its sides at most `most` and multiples of a number."""
    height, width = (min(side, most) // multiple * multiple for side in image.shape[:2])
    top, left = (image.shape[0] - height) // 2, (image.shape[1] - width) // 2
    return np.ascontiguousarray(image[top : top + height, left : left + width])
