"""The image files of an evaluation, and what tables call them."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from rnncodec.data.photos import Photos
from rnncodec.errors import DataError
from rnncodec.images.reading import find_images
from rnncodec.machine.names import printable
from rnncodec.machine.storage import sha256_of


@dataclass(frozen=True)
class Input:
    """An image file, and its name in tables."""

    name: str
    path: Path


def inputs_in(folder: Path) -> list[Input]:
    """Every picture under a folder (see :func:`rnncodec.images.reading.find_images`).

    Raises:
        DataError: the folder is missing or holds no picture.
    """
    paths = find_images(folder)
    return named(paths, [path.relative_to(folder).as_posix() for path in paths])


def inputs_of(photos: Photos) -> list[Input]:
    """The files of a set of photographs."""
    return named(photos.paths, photos.names)


def named(paths: Sequence[Path], names: Sequence[str]) -> list[Input]:
    """Files under their names without endings, except where two would have the same.

    Examples:
        >>> [item.name for item in named([Path()] * 3, ["a/x.png", "y.jpg", "y.png"])]
        ['a/x', 'y.jpg', 'y.png']
    """
    names = [printable(name) for name in names]
    short = [str(PurePosixPath(name).with_suffix("")) for name in names]
    often = Counter([*short, *names])
    return [
        Input(brief if often[brief] == 1 else name, path)
        for path, name, brief in zip(paths, names, short, strict=True)
    ]


def file_hash(path: Path) -> str:
    """SHA-256 of a file's bytes, hexadecimal.

    Raises:
        DataError: it cannot be read.
    """
    try:
        return sha256_of(path)
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror or error}") from error
