"""Any picture file to 8-bit RGB by stated rules; everything unreadable ends in one error."""

import importlib
import io
import os
import re
import struct
import warnings
from collections.abc import Callable, Collection, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from functools import lru_cache
from pathlib import Path, PurePath
from typing import BinaryIO, cast

from PIL import Image, UnidentifiedImageError
from PIL.TiffImagePlugin import ImageFileDirectory_v2

from rnncodec.errors import DataError, RNNCodecError
from rnncodec.images.conversion import Pixels, orientation, to_rgb
from rnncodec.images.file_headers import is_cut, is_jpeg_xl, jpeg_xl_header

__all__ = [
    "Pixels",
    "find_images",
    "formats",
    "is_hidden",
    "open_image",
    "picture_extensions",
    "pixel_limit",
    "read_image",
    "read_size",
    "readable",
    "to_rgb",
    "walk",
]

# Formats that Pillow recognises but does not decode by itself: EPS would start Ghostscript on
# the user's file, the others are stubs that wait for a handler.
_NOT_DECODED = frozenset({"BUFR", "EPS", "GRIB", "HDF5", "MPEG", "WMF"})

RAISE_LIMIT = "raise that limit if you trust this file (PIL.Image.MAX_IMAGE_PIXELS, --max-pixels)"
"""What to do about a picture of more pixels than Pillow allows."""

_ENDS_EARLY = re.compile("not enough|only got|incomplete|EOF|end of file|no more", re.IGNORECASE)
_TIFF_SAMPLES = {258: "BitsPerSample", 262: "PhotometricInterpretation", 339: "SampleFormat"}
_TIFF_SAMPLES |= {277: "SamplesPerPixel"}


@lru_cache(maxsize=1)
def _register_plugins() -> None:
    with suppress(ImportError):  # JPEG XL, with the extra ``[jxl]``
        importlib.import_module("pillow_jxl")


def formats() -> list[str]:
    """Pillow's names of the formats that it decodes, those of installed plugins included."""
    Image.init()
    _register_plugins()
    return [name for name in Image.OPEN if name not in _NOT_DECODED]


def picture_extensions() -> frozenset[str]:
    """Lower-case file extensions, dot included, of the formats that Pillow decodes."""
    decoded = set(formats())
    registered = Image.registered_extensions()
    return frozenset(ext for ext, name in registered.items() if name in decoded)


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
        turned = "exif" in image.info and orientation(image) in (5, 6, 7, 8)  # sides exchanged
        return (height, width) if turned else (width, height)


@contextmanager
def open_image(
    source: str | Path | BinaryIO, *, name: str | Path | None = None
) -> Iterator[Image.Image]:
    """Open a picture file (``name`` is what messages call it) for the length of the block.

    Raises:
        DataError: as `read_image`, from what the block does with the image too.
    """
    path = Path(source) if isinstance(source, str | Path) else None

    def opened() -> AbstractContextManager[BinaryIO]:
        return nullcontext(cast("BinaryIO", source)) if path is None else path.open("rb")

    def whole() -> bytes:
        with suppress(OSError, ValueError), opened() as file:  # ValueError: it is closed
            file.seek(0)
            return file.read()
        return b""

    with readable(name or path or "the input", whole), warnings.catch_warnings():
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        with opened() as file:
            _refuse_large_jpeg_xl(file)
        with Image.open(source, formats=formats()) as image:
            yield image


def _refuse_large_jpeg_xl(file: BinaryIO) -> None:
    """Apply Pillow's limit of pixels to JPEG XL, whose plugin decodes before Pillow can look."""
    position = file.tell()
    start = file.read(16)
    header = jpeg_xl_header(start + file.read() if is_jpeg_xl(start) else b"")
    file.seek(position)
    pixels, most = header.width * header.height, Image.MAX_IMAGE_PIXELS
    if most is not None and pixels > most:
        raise DataError(
            f"{header.width}x{header.height} pixels are more than Pillow's limit, {most}; "
            f"{RAISE_LIMIT}"
        )


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


@contextmanager
def readable(name: str | Path, file: Callable[[], bytes] = bytes) -> Iterator[None]:
    """Everything that reading a picture raises in the block becomes one error.

    Pillow's plugins raise what they like on damaged files: mutating files of 22 formats gave
    fourteen types, and who installs a plugin adds to them.

    Args:
        name: what the message calls the picture.
        file: gives its bytes, to look for the reason in.

    Raises:
        DataError: what was raised, with the picture's name and the reason.
    """
    try:
        yield
    except DataError as error:  # our own rules, here given the file's name
        raise DataError(f"cannot read image {name}: {error}") from error
    except RNNCodecError:
        raise
    except Exception as error:
        raise DataError(f"cannot read image {name}: {_reason(error, file)}") from error


def _reason(error: Exception, file: Callable[[], bytes]) -> str:
    """Why a picture cannot be read, in words that do not name parts of Pillow."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    if isinstance(error, MemoryError):
        return "too little memory for its pixels"
    reason = str(error) or type(error).__name__
    if "MAX_TEXT_" in reason:  # names of variables in Pillow
        return "its colour profile or text is larger than Pillow allows"
    if isinstance(error, Image.DecompressionBombError | Image.DecompressionBombWarning):
        return f"{reason}; {RAISE_LIMIT}"
    data = file()
    kind = _format_of_start(data)
    if isinstance(error, UnidentifiedImageError):
        reason = _unidentified(kind, data)
    elif kind == "JXL" and isinstance(error, RuntimeError):
        # the plugin has one message for everything, of how it was built
        reason = "its JPEG XL data is damaged or truncated"
    if "truncated" in reason.lower():
        return reason
    if is_cut(data) or _ENDS_EARLY.search(reason):
        return f"the file is truncated ({reason})"
    return reason


def _format_of_start(data: bytes) -> str:
    """The format as which a file begins; empty if none."""
    if is_jpeg_xl(data):
        return "JXL"
    for name in formats():
        accept = Image.OPEN[name][1]
        with suppress(IndexError, struct.error):  # the file is shorter than what it looks at
            if accept is not None and accept(data[:16]) is True:
                return name
    return ""


def _unidentified(kind: str, data: bytes) -> str:
    """What is wrong with a file that no reader of Pillow took."""
    if kind == "JXL" and kind not in Image.OPEN:
        return "JPEG XL is read by a plugin; run: pip install 'rnncodec[jxl]'"
    if not kind:
        return "not a format that Pillow decodes"
    start = f"it begins as {kind} does"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # they were given before
        try:
            Image.OPEN[kind][0](io.BytesIO(data), "").close()
        except (IndexError, struct.error, EOFError):
            return f"truncated: {start}, and ends inside its header"
        except Exception as error:  # noqa: BLE001  # the reader's own words, which Pillow keeps
            samples = _tiff_samples(data) if kind == "TIFF" else ""
            return f"{start}, but: {error}{samples}"
    return f"{start}, but Pillow cannot read it"


def _tiff_samples(data: bytes) -> str:
    """How a TIFF stores its samples, for the message that says Pillow does not read that."""
    with suppress(Exception), io.BytesIO(data) as file:  # the file may be damaged as well
        tags = ImageFileDirectory_v2(data[: 16 if data[2:4] in (b"\x2b\0", b"\0\x2b") else 8])
        file.seek(tags.next)
        tags.load(file)
        found = [f"{name} {tags[tag]}" for tag, name in _TIFF_SAMPLES.items() if tag in tags]
        if found and not is_cut(data):
            return f" ({', '.join(found)}); convert it to 8 or 16 bits unsigned, where 0 is black"
    return ""


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
