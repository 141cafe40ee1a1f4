"""A Pillow image of any mode to 8-bit RGB, and what of its pixels that loses."""

import io
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import ExifTags, Image

from rnncodec.errors import DataError
from rnncodec.images.file_headers import file_bytes, jpeg2000_depths, tiff_tags

Pixels = npt.NDArray[np.uint8]
Mask = npt.NDArray[np.bool_]
Samples = npt.NDArray[Any]

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

# Pillow's name of how PNG samples are packed -> (bits that a tRNS value has, what scales it)
_PACKED = {"L;2": (0x3, 85), "L;4": (0xF, 17), "RGB;16B": (0xFFFF, 1)}
_PACKED |= {"I;16": (0xFFFF, 1), "I;16B": (0xFFFF, 1)}

_TO_RGB_EXACTLY = {"1", "L", "P", "RGB", "RGBX"}
_COLOUR_KEYED = {"1": int, "L": int, "I;16": int, "RGB": tuple}
"""Modes of which PNG may declare one colour transparent, and what Pillow states that in."""

_BITS_PER_SAMPLE, _PHOTOMETRIC, _SAMPLE_FORMAT, _SUBSAMPLING = 258, 262, 339, 530  # TIFF tags
_WHITE_IS_ZERO = 0

_MEANINGLESS = "; convert it to 8 or 16 bits unsigned, where 0 is black"


class Converted(NamedTuple):
    """Pixels uint8 (H, W, 3), upright, and what was lost in words."""

    pixels: Pixels
    notes: list[str]


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
    1, L, P, RGB + tRNS  the transparent colour (or palette alpha) as alpha, over white; the
                         colour is compared at the file's own depth
    CMYK, YCbCr, HSV     Pillow's conversion; an embedded colour profile is not applied
    LAB                  Pillow's conversion (LittleCMS, to sRGB)
    I;16 (any order)     round(v / 257), replicated; a tRNS value becomes white
    I                    Pillow's container for 16-bit grey: clipped to 0..65535, then as I;16
    F                    clipped to 0..1, round(255*v), replicated; NaN is refused
    ==================== =======================================================================

    Files whose samples mean something else than their mode says:

    ====================== =====================================================================
    file                   rule
    ====================== =====================================================================
    TIFF, grey             by BitsPerSample: round(255*v / (2^bits - 1)); by
                           PhotometricInterpretation: where 0 is white, turned round
    TIFF, signed samples   refused: what is black is not defined
    TIFF, YCbCr subsampled refused where not compressed: Pillow takes it for 4:4:4
    TIFF, big-endian float refused where compressed: Pillow takes its bytes in the wrong order
    FITS, MCIDAS           refused above 8 bits: what is black and white is not defined
    JPEG 2000, under 8 bit round(255*v / (2^bits - 1))
    JPEG 2000 with palette refused: Pillow counts equal colours once, and shifts short indices
    ====================== =====================================================================

    Colour with 16 bits a channel reaches us as 8 bits: Pillow keeps the high byte while decoding.
    The orientation of EXIF is applied, once (Pillow itself turns TIFF, and libjxl JPEG XL); EXIF
    data that cannot be parsed counts as absent.

    Raises:
        DataError: a side is zero, a float image holds NaN or infinity, or see the table.

    >>> to_rgb(Image.new("LA", (1, 1), (0, 51))).tolist()
    [[[204, 204, 204]]]
    """
    return convert(image).pixels


def convert(image: Image.Image) -> Converted:
    """The pixels as :func:`to_rgb` gives them, and a note for each loss: none if there is none."""
    if 0 in image.size:
        raise DataError(f"an image of {image.width}x{image.height} pixels has nothing to show")
    _refuse_undefined(image)
    notes: list[str] = []
    transparent = _transparent_colour(image)
    colour, alpha = _decoded(image, notes)
    if transparent is not None:
        alpha = np.where(transparent, 0, 255).astype(np.uint8)
    if alpha is not None and (alpha != 255).any():
        notes.append("transparency is not kept: composited over white")
        wide, opacity = colour.astype(np.uint16), alpha.astype(np.uint16)[:, :, None]
        # at most 255 * 255, so 16 bits hold the sum; 255 is odd, so there are no ties
        colour = ((wide * opacity + 255 * (255 - opacity) + 127) // 255).astype(np.uint8)
    # now, when the pixels are loaded: Pillow turns a TIFF while it loads it
    mirror, turns = _UPRIGHT.get(orientation(image), (False, 0))
    colour = colour[:, ::-1] if mirror else colour
    return Converted(np.ascontiguousarray(np.rot90(colour, turns)), notes)


def orientation(image: Image.Image) -> int:
    """How an image that is loaded has still to be turned, as EXIF counts; 1 is upright."""
    if image.format == "JXL" and not getattr(image, "jpeg", False):
        return 1  # the codestream says it, and the decoder has done it
    try:
        return int(image.getexif().get(ExifTags.Base.Orientation, 1))
    except Exception:  # noqa: BLE001  # whatever Pillow's parser stumbles over
        return 1


def _refuse_undefined(image: Image.Image) -> None:
    """Raise DataError where Pillow would give numbers of which nobody knows the black."""
    tags = tiff_tags(image)
    if 2 in tags.get(_SAMPLE_FORMAT, ()):
        raise DataError(f"a TIFF of signed samples, whose black is not defined{_MEANINGLESS}")
    if tags and image.mode == "YCbCr" and tuple(tags.get(_SUBSAMPLING, (2, 2))) != (1, 1):
        raise DataError("a TIFF of subsampled YCbCr without compression; convert it to RGB")
    compressed = image.info.get("compression", "raw") != "raw"
    if tags and image.mode == "F" and compressed and tags.prefix == b"MM":
        raise DataError("a compressed TIFF of big-endian floats; convert it to 8 or 16 bits")
    if image.format == "JPEG2000" and image.mode in ("P", "PA"):
        raise DataError(
            "a JPEG 2000 file with a palette, which is read wrongly; convert it to RGB"
        )
    if image.format in ("FITS", "MCIDAS") and image.mode in ("I", "F", "I;16", "I;16B"):
        raise DataError(f"a {image.format} file, whose black and white are unknown{_MEANINGLESS}")


def _decoded(image: Image.Image, notes: list[str]) -> tuple[Pixels, Pixels | None]:
    """Colours (H, W, 3), and alpha (H, W) where there is some."""
    if image.mode == "F" or image.mode.startswith("I"):
        return np.repeat(_eight_bits(image, notes)[:, :, None], 3, axis=2), None
    # an image that was loaded already has no bytes left that tell
    jpeg2000 = jpeg2000_depths(file_bytes(image)) if image.format == "JPEG2000" else []
    depth = max(jpeg2000, default=8)
    if image.has_transparency_data and image.mode not in _COLOUR_KEYED:
        # Pillow converts La only to LA, and RGBa only to RGBA
        straight = image.convert("LA") if image.mode == "La" else image
        rgba = _stretched(np.asarray(straight.convert("RGBA")), depth)
        return rgba[:, :, :3], rgba[:, :, 3]
    if image.mode not in _TO_RGB_EXACTLY:
        notes.append(f"{image.mode} is converted to RGB by Pillow, without colour management")
    return _stretched(np.asarray(image.convert("RGB")), depth), None


def _stretched(pixels: Pixels, depth: int) -> Pixels:
    """Samples of fewer than 8 bits, which Pillow's JPEG 2000 shifts up, so that white is 255."""
    if depth >= 8:
        return pixels
    most = (1 << depth) - 1
    return (((pixels >> (8 - depth)).astype(np.uint16) * 255 + most // 2) // most).astype(np.uint8)


def _eight_bits(image: Image.Image, notes: list[str]) -> Pixels:
    """Grey of more than 8 bits or of floats, rounded to 8 bits."""
    tags = tiff_tags(image)
    values = np.asarray(image)
    white: float = 1.0 if image.mode == "F" else 65535
    if image.mode == "F" and not np.isfinite(values).all():
        raise DataError("a float image must hold finite numbers; it holds NaN or infinity")
    if tags and image.mode != "F":
        bits = int(tags.get(_BITS_PER_SAMPLE, (16,))[0])
        white = (1 << bits) - 1
        values = values.view(np.uint32) if bits == 32 else values
    if values.min() < 0 or values.max() > white:
        notes.append(f"values outside 0..{white:g} are not kept: clipped")
        values = values.clip(0, white)
    if tags and tags.get(_PHOTOMETRIC, _WHITE_IS_ZERO) == _WHITE_IS_ZERO:
        values = white - values
    if image.mode == "F":
        scaled: Pixels = np.rint(values * np.float32(255)).astype(np.uint8)
        return scaled
    most = int(white)
    wide = values.astype(np.uint32 if most < 1 << 17 else np.uint64)
    # 2^bits - 1 is odd, so that there are no ties
    return ((wide * 255 + most // 2) // most).astype(np.uint8)


def _transparent_colour(image: Image.Image) -> Mask | None:
    """Where an image has the one colour that a PNG declares transparent; it is loaded for that.

    PNG states that colour at the file's own depth, and Pillow hands it on so while it scales the
    samples. Of an image that was loaded before, that depth is no longer known: a colour above 255
    is then compared by its high byte.
    """
    key = image.info.get("transparency")
    if not isinstance(key, _COLOUR_KEYED.get(image.mode, ())):
        return None
    tiles = getattr(image, "tile", None)
    # how the samples lie in the file, as Pillow calls it; empty once they are loaded
    packed = str(tiles[0][3]) if image.format == "PNG" and tiles else ""
    data = file_bytes(image) if packed == "RGB;16B" else b""
    samples: Samples = np.asarray(image.convert("L") if image.mode == "1" else image)
    if data:  # the low bytes are those of the file in the other byte order
        again = Image.open(io.BytesIO(data), formats=["PNG"])
        again.tile = [tile._replace(args="RGB;16L") for tile in again.tile]
        samples = samples.astype(np.uint16) * 256 + np.asarray(again)
    wanted: Samples = np.array(key, np.uint32)
    if samples.dtype == np.uint8 and not packed and wanted.max() > 255:
        wanted = wanted >> 8
    bits, scale = _PACKED.get(packed or image.mode, (0xFF, 1))
    wanted = (wanted & bits) * scale
    same: Mask = samples == wanted
    return np.asarray(same.all(axis=2)) if same.ndim == 3 else same
