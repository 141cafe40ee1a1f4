"""The formats that Pillow decodes here, those of installed plugins included."""

import importlib
from contextlib import suppress
from functools import lru_cache

from PIL import Image

# Formats that Pillow recognises but does not decode by itself: EPS would start Ghostscript on
# the user's file, the others are stubs that wait for a handler.
_NOT_DECODED = frozenset({"BUFR", "EPS", "GRIB", "HDF5", "MPEG", "WMF"})


def formats() -> list[str]:
    """Pillow's names of the formats that it decodes."""
    Image.init()
    _register_plugins()
    return [name for name in Image.OPEN if name not in _NOT_DECODED]


@lru_cache(maxsize=1)
def _register_plugins() -> None:
    """Let Pillow read JPEG XL too, where the plugin of the extra ``[jxl]`` is installed."""
    with suppress(ImportError):
        importlib.import_module("pillow_jxl")


def picture_extensions() -> frozenset[str]:
    """Lower-case file extensions, dot included, of the formats that Pillow decodes."""
    decoded = set(formats())
    registered = Image.registered_extensions()
    return frozenset(ext for ext, name in registered.items() if name in decoded)
