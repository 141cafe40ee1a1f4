"""The formats that Pillow decodes here, and why a file cannot be read: one error for all."""

import importlib
import io
import re
import struct
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import lru_cache
from pathlib import Path

from PIL import Image, UnidentifiedImageError
from PIL.TiffImagePlugin import ImageFileDirectory_v2

from rnncodec.errors import DataError, RNNCodecError
from rnncodec.images.file_headers import is_cut, is_jpeg_xl

# Formats that Pillow recognises but does not decode by itself: EPS would start Ghostscript on
# the user's file, the others are stubs that wait for a handler.
_NOT_DECODED = frozenset({"BUFR", "EPS", "GRIB", "HDF5", "MPEG", "WMF"})

RAISE_LIMIT = "raise that limit if you trust this file (PIL.Image.MAX_IMAGE_PIXELS, --max-pixels)"
"""What to do about a picture of more pixels than Pillow allows."""

_ENDS_EARLY = re.compile("not enough|only got|incomplete|EOF|end of file|no more", re.IGNORECASE)
_TIFF_SAMPLES = {
    258: "BitsPerSample",
    262: "PhotometricInterpretation",
    339: "SampleFormat",
    277: "SamplesPerPixel",
}


@lru_cache(maxsize=1)
def _register_plugins() -> None:
    """Let Pillow read JPEG XL too, where the plugin of the extra ``[jxl]`` is installed."""
    with suppress(ImportError):
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
    kind = _claimed_by(data)
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


def _claimed_by(data: bytes) -> str:
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
            return f"{start}, but: {error}{_tiff_samples(kind, data)}"
    return f"{start}, but Pillow cannot read it"


def _tiff_samples(kind: str, data: bytes) -> str:
    """How a TIFF stores its samples, for the message that says Pillow does not read that."""
    if kind != "TIFF":
        return ""
    file = io.BytesIO(data)
    with suppress(Exception):  # the file may be damaged as well
        tags = ImageFileDirectory_v2(data[: 16 if data[2:4] in (b"\x2b\0", b"\0\x2b") else 8])
        file.seek(tags.next)
        tags.load(file)
        found = [f"{name} {tags[tag]}" for tag, name in _TIFF_SAMPLES.items() if tag in tags]
        if found and not is_cut(data):
            return f" ({', '.join(found)}); convert it to 8 or 16 bits unsigned, where 0 is black"
    return ""
