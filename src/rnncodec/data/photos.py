"""Ordered sets of named photographs, decoded on demand and cached within a byte budget."""

import hashlib
from collections import OrderedDict
from collections.abc import Collection, Iterable, Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

from rnncodec.errors import DataError
from rnncodec.images.reading import Pixels, find_images, read_image

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

    Decoded images are kept, least recently used dropped first, within `cache_mb` megabytes
    (2**20 bytes). Pickling carries the files and the budget, never the pixels.
    """

    def __init__(
        self, paths: Sequence[Path], names: Sequence[str], *, cache_mb: float = 1024
    ) -> None:
        assert len(paths) == len(names)
        self.paths = list(paths)
        self.names = list(names)
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
        image = self._cache.get(index)
        if image is None:
            image = read_image(self.paths[index])
            image.setflags(write=False)  # it is shared with the cache
            self._keep(index, image)
        else:
            self._cache.move_to_end(index)
        return image

    def keeps(self, index: int) -> bool:
        """Whether photograph `index` is in the cache, decoded."""
        return index in self._cache

    def subset(self, indices: Iterable[int], *, cache_mb: float | None = None) -> "Photos":
        """The photographs at `indices`, in that order, with a cache of their own."""
        chosen = list(indices)
        return Photos(
            [self.paths[i] for i in chosen],
            [self.names[i] for i in chosen],
            cache_mb=self.cache_mb if cache_mb is None else cache_mb,
        )

    def _keep(self, index: int, image: Pixels) -> None:
        capacity = int(self.cache_mb * 2**20)
        if image.nbytes > capacity:
            return
        self._cache[index] = image
        self._cached_bytes += image.nbytes
        while self._cached_bytes > capacity:
            _, dropped = self._cache.popitem(last=False)
            self._cached_bytes -= dropped.nbytes


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
        folder = _scikit_image_data()
        super().__init__([folder / name for name in names], names, cache_mb=cache_mb)


def hash_fraction(name: str) -> float:
    """A number in [0, 1) that depends on the name alone, the same on every machine.

    >>> round(hash_fraction("holiday/beach.jpg"), 4)
    0.5721
    """
    digest = hashlib.blake2b(name.encode("utf-8", "surrogateescape"), digest_size=6).digest()
    return int.from_bytes(digest, "big") / 2**48


def _scikit_image_data() -> Path:
    # found, not imported: scikit-image takes its time to import
    spec = find_spec("skimage")
    if spec is None or spec.origin is None:
        raise DataError(
            "the demo photographs ship inside scikit-image, which is not installed; "
            "run: pip install 'rnncodec[train]'"
        )
    return Path(spec.origin).parent / "data"
