"""Any picture file to 8-bit RGB by stated rules; everything unreadable ends in one error."""

import os
import warnings
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePath
from typing import BinaryIO

from PIL import Image

from rnncodec.errors import DataError
from rnncodec.images.conversion import Pixels, orientation, to_rgb
from rnncodec.images.file_headers import is_jpeg_xl, jpeg_xl_header
from rnncodec.images.formats import RAISE_LIMIT, formats, picture_extensions, readable

__all__ = [
    "Pixels",
    "find_images",
    "is_hidden",
    "open_image",
    "picture_extensions",
    "pixel_limit",
    "read_image",
    "read_size",
    "to_rgb",
    "walk",
]

_LYING = (5, 6, 7, 8)  # orientations that exchange width and height


def read_image(path: str | Path) -> Pixels:
    """Read the first frame of a picture file as uint8 RGB (H, W, 3), by the rules of `to_rgb`.

    Raises:
        DataError: the file is missing, no image, damaged, empty, or beyond Pillow's
            `Image.MAX_IMAGE_PIXELS`; the message names the file.
    """
    with open_image(path) as image:
        return to_rgb(image)


def read_size(path: str | Path) -> tuple[int, int]:
    """Width and height, turned upright as `read_image` does, from the header; decodes no pixel.

    Raises:
        DataError: as `read_image`, as far as the header tells.
    """
    with open_image(path) as image:
        width, height = image.size
        # not asked of others: Pillow states a TIFF's size upright, and would decode a PNG
        turned = "exif" in image.info and orientation(image) in _LYING
        return (height, width) if turned else (width, height)


@contextmanager
def open_image(
    source: str | Path | BinaryIO, *, name: str | Path | None = None
) -> Iterator[Image.Image]:
    """Open a picture file (``name`` is what messages call it) for the length of the block.

    Raises:
        DataError: as `read_image`, from what the block does with the image too.
    """
    name = name or (source if isinstance(source, str | Path) else "the input")
    with readable(name, lambda: _whole(source)), warnings.catch_warnings():
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        _refuse_large_jpeg_xl(source)
        with Image.open(source, formats=formats()) as image:
            yield image


@contextmanager
def pixel_limit(most: int | None) -> Iterator[None]:
    """Let pictures have so many pixels for the length of the block; None: Pillow's own limit.

    The limit is Pillow's, `PIL.Image.MAX_IMAGE_PIXELS`, hence that of all threads.
    """
    before = Image.MAX_IMAGE_PIXELS
    if most is not None:
        Image.MAX_IMAGE_PIXELS = most
    try:
        yield
    finally:
        Image.MAX_IMAGE_PIXELS = before


def _refuse_large_jpeg_xl(source: str | Path | BinaryIO) -> None:
    """Apply Pillow's limit of pixels to JPEG XL, whose plugin decodes before Pillow can look."""
    if isinstance(source, str | Path):
        with Path(source).open("rb") as file:
            _refuse_large_jpeg_xl(file)
        return
    position = source.tell()
    start = source.read(16)
    header = jpeg_xl_header(start + source.read() if is_jpeg_xl(start) else b"")
    source.seek(position)
    pixels, most = header.width * header.height, Image.MAX_IMAGE_PIXELS
    if most is not None and pixels > most:
        raise DataError(
            f"{header.width}x{header.height} pixels are more than Pillow's limit, {most}; "
            f"{RAISE_LIMIT}"
        )


def _whole(source: str | Path | BinaryIO) -> bytes:
    try:
        if isinstance(source, str | Path):
            return Path(source).read_bytes()
        source.seek(0)
        return source.read()
    except (OSError, ValueError):  # ValueError: it is closed
        return b""


def find_images(root: str | Path, exclude: Collection[Path] = ()) -> list[Path]:
    """List the picture files under a folder, recursively, sorted by relative POSIX path.

    A picture is a file whose extension (in any case) Pillow decodes. Hidden files (`is_hidden`)
    are passed over, and so are links to folders. Files in `exclude` (compared by resolved path)
    are left out.

    Raises:
        DataError: the folder is missing, not a folder, not readable, or holds no picture.
    """
    folder = Path(root).expanduser()
    extensions = picture_extensions()
    found = [path for path in walk(folder) if path.suffix.lower() in extensions]
    if not found:
        raise DataError(
            f"no pictures under {folder}: looked, recursively, for files named "
            f"*.jpg, *.png, *.tif, *.webp and {len(extensions) - 4} more extensions Pillow reads"
        )
    excluded = {path.resolve() for path in exclude}
    chosen = [path for path in found if not excluded or path.resolve() not in excluded]
    return sorted(chosen, key=lambda path: path.relative_to(folder).as_posix())


def walk(folder: Path) -> Iterator[Path]:
    """Yield every file under a folder that is not hidden (`is_hidden`) below it.

    Raises:
        DataError: the folder is missing, not a folder, or not readable.
    """
    if not folder.is_dir():
        state = "is not a folder" if folder.exists() else "does not exist"
        raise DataError(f"image folder {folder} {state}; expected a folder with pictures")

    def refuse(error: OSError) -> None:
        raise DataError(f"cannot list the folder {error.filename}: {error.strerror}") from error

    for parent, folders, files in os.walk(folder, onerror=refuse):
        folders[:] = [name for name in folders if not is_hidden(name)]
        yield from (Path(parent, name) for name in files if not is_hidden(name))


def is_hidden(place: str) -> bool:
    """Whether a path below a source, of a file, folder or archive member, is not meant to be seen.

    Such names begin with a dot, or those of folders above do: thumbnails, and `._photo.jpg`, which
    macOS puts beside each photograph and which holds no picture. In archives macOS puts these
    into a folder `__MACOSX`.

    >>> [is_hidden(place) for place in ("a/._1.jpg", "__MACOSX/a/1.jpg", "./a/1.jpg", "../b.jpg")]
    [True, True, False, False]
    """
    return any(
        part == "__MACOSX" or (part.startswith(".") and part not in (".", ".."))
        for part in PurePath(place).parts
    )
