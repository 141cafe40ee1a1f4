"""Any picture file to 8-bit RGB by stated rules; everything unreadable ends in one error."""

import os
import struct
import warnings
import zlib
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt
from PIL import Image, UnidentifiedImageError

from rnncodec.errors import DataError

Pixels = npt.NDArray[np.uint8]

# Formats that Pillow recognises but does not decode by itself: EPS would start Ghostscript on
# the user's file, the others are stubs that wait for a handler.
_NOT_DECODED = frozenset({"BUFR", "EPS", "GRIB", "HDF5", "MPEG", "WMF"})

# What Pillow's plugins really raise on damaged files, found by mutating files of 22 formats.
_UNREADABLE = (
    OSError,  # UnidentifiedImageError and EOF in most formats
    SyntaxError,  # PNG, ICNS, AVIF
    ValueError,
    RuntimeError,  # AVIF; NotImplementedError from DDS and BLP
    AttributeError,  # SPIDER
    LookupError,
    ArithmeticError,
    TypeError,
    EOFError,
    struct.error,
    zlib.error,
    Image.DecompressionBombError,
    Image.DecompressionBombWarning,
    DataError,  # our own rules, here given the file's name
)

_ORIENTATION_TAG = 0x0112
# EXIF orientation -> (mirror left-right first, quarter turns anticlockwise after that)
_UPRIGHT = {
    2: (True, 0),
    3: (False, 2),
    4: (True, 2),
    5: (True, 1),
    6: (False, 3),
    7: (True, 3),
    8: (False, 1),
}


def to_rgb(image: Image.Image) -> Pixels:
    """Convert a Pillow image (its current frame) to uint8 RGB of shape (H, W, 3).

    ==================== =======================================================================
    mode                 rule
    ==================== =======================================================================
    1, L                 grey value replicated (1: black 0, white 255)
    P                    palette expanded
    RGB, RGBX            as they are; the fourth byte of RGBX is padding
    LA, PA, RGBA         composited over white: round((a*v + (255 - a)*255) / 255)
    La, RGBa             un-premultiplied by Pillow, then as LA, RGBA
    1, L, P, RGB + tRNS  the transparent colour (or palette alpha) as alpha, over white
    CMYK, YCbCr, HSV     Pillow's conversion; an embedded colour profile is not applied
    LAB                  Pillow's conversion (LittleCMS, to sRGB)
    I;16 (any order)     round(v / 257), replicated; a tRNS value becomes white
    I                    Pillow's container for 16-bit grey: clipped to 0..65535, then as I;16
    F                    clipped to 0..1, round(255*v), replicated; NaN is refused
    ==================== =======================================================================

    Colour with 16 bits a channel reaches us as 8 bits: Pillow keeps the high byte while decoding.
    The EXIF orientation is applied; EXIF data that cannot be parsed counts as absent.

    Raises:
        DataError: a side is zero, or a float image holds NaN or infinity.

    >>> to_rgb(Image.new("LA", (1, 1), (0, 51))).tolist()
    [[[204, 204, 204]]]
    """
    if 0 in image.size:
        raise DataError(f"an image of {image.width}x{image.height} pixels has nothing to show")
    mirror, turns = _UPRIGHT.get(_orientation(image), (False, 0))
    pixels = _convert(image)
    pixels = pixels[:, ::-1] if mirror else pixels
    return np.ascontiguousarray(np.rot90(pixels, turns))


def read_image(path: str | Path) -> Pixels:
    """Read the first frame of a picture file as uint8 RGB (H, W, 3), by the rules of `to_rgb`.

    Raises:
        DataError: the file is missing, no image, damaged, empty, or beyond Pillow's
            `Image.MAX_IMAGE_PIXELS`; the message names the file.
    """
    with open_image(path) as image:
        return to_rgb(image)


def read_size(path: str | Path) -> tuple[int, int]:
    """Width and height as the header states them (before EXIF orientation); decodes no pixel.

    Raises:
        DataError: as `read_image`, as far as the header tells.
    """
    with open_image(path) as image:
        return image.size


@contextmanager
def open_image(
    source: str | Path | BinaryIO, *, name: str | Path | None = None
) -> Iterator[Image.Image]:
    """Open a picture file (``name`` is what messages call it) for the length of the block.

    Raises:
        DataError: as `read_image`, from what the block does with the image too.
    """
    name = name or (source if isinstance(source, str | Path) else "the input")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(source, formats=_formats()) as image:
                yield image
    except UnidentifiedImageError as error:
        raise DataError(f"cannot read image {name}: not a format that Pillow decodes") from error
    except _UNREADABLE as error:
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        if "MAX_TEXT_" in reason:  # names of variables in Pillow
            reason = "its colour profile or text is larger than Pillow allows"
        raise DataError(f"cannot read image {name}: {reason}") from error


def find_images(root: str | Path, exclude: Collection[Path] = ()) -> list[Path]:
    """List the picture files under a folder, recursively, sorted by relative POSIX path.

    A picture is a file whose extension (in any case) Pillow decodes. Names that begin with a dot
    are passed over (thumbnail folders, `._photo.jpg` of macOS), and so are links to folders.
    Files in `exclude` (compared by resolved path) are left out.

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
    kept = [path for path in found if not excluded or path.resolve() not in excluded]
    return sorted(kept, key=lambda path: path.relative_to(folder).as_posix())


def walk(folder: Path) -> Iterator[Path]:
    """Yield every file under a folder whose name, and whose folders' names, begin with no dot.

    Raises:
        DataError: the folder is missing, not a folder, or not readable.
    """
    if not folder.is_dir():
        state = "is not a folder" if folder.exists() else "does not exist"
        raise DataError(f"image folder {folder} {state}; expected a folder with pictures")

    def refuse(error: OSError) -> None:
        raise DataError(f"cannot list the folder {error.filename}: {error.strerror}") from error

    for parent, folders, files in os.walk(folder, onerror=refuse):
        folders[:] = [name for name in folders if not name.startswith(".")]
        yield from (Path(parent, name) for name in files if not name.startswith("."))


def _formats() -> list[str]:
    Image.init()
    return [name for name in Image.OPEN if name not in _NOT_DECODED]


def picture_extensions() -> frozenset[str]:
    """Lower-case file extensions, dot included, of the formats that Pillow decodes."""
    formats = set(_formats())
    registered = Image.registered_extensions()
    return frozenset(ext for ext, name in registered.items() if name in formats)


def _orientation(image: Image.Image) -> int:
    try:
        return int(image.getexif().get(_ORIENTATION_TAG, 1))
    except (SyntaxError, ValueError, TypeError, struct.error):
        return 1


def _convert(image: Image.Image) -> Pixels:
    if image.mode.startswith("I;16"):
        return _grey(_from_sixteen(np.asarray(image), image.info.get("transparency")))
    if image.mode == "I":
        return _grey(_from_sixteen(np.asarray(image).clip(0, 65535)))
    if image.mode == "F":
        return _grey(_from_float(np.asarray(image)))
    if image.has_transparency_data:
        # Pillow converts La only to LA, and RGBa only to RGBA
        straight = image.convert("LA") if image.mode == "La" else image
        return _over_white(np.asarray(straight.convert("RGBA")))
    return np.asarray(image.convert("RGB"))


def _grey(values: Pixels) -> Pixels:
    return np.repeat(values[:, :, None], 3, axis=2)


def _from_sixteen(values: npt.NDArray[Any], transparent: object = None) -> Pixels:
    # 257 is odd: v / 257 has no ties, so this is the nearest integer
    scaled = ((values.astype(np.uint32) + 128) // 257).astype(np.uint8)
    if isinstance(transparent, int):
        scaled[values == transparent] = 255
    return scaled


def _from_float(values: npt.NDArray[np.float32]) -> Pixels:
    if not np.isfinite(values).all():
        raise DataError("a float image must hold finite numbers; it holds NaN or infinity")
    scaled: Pixels = np.rint(values.clip(0, 1) * 255).astype(np.uint8)
    return scaled


def _over_white(rgba: Pixels) -> Pixels:
    wide = rgba.astype(np.uint16)
    colour, alpha = wide[:, :, :3], wide[:, :, 3:]
    # at most 255 * 255, so 16 bits hold the sum; 255 is odd, so there are no ties
    return ((colour * alpha + 255 * (255 - alpha) + 127) // 255).astype(np.uint8)
