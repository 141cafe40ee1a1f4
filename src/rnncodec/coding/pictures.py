"""Between Pillow images and what a file stores: 8-bit RGB pixels, a colour mode, a profile.

Nothing is dropped silently: every conversion that loses something is said in a note.
"""

import re
import struct
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image

from rnncodec.bitstream import ColourMode
from rnncodec.bitstream.header import MAX_ICC_PROFILE
from rnncodec.errors import DataError
from rnncodec.images.reading import Pixels, to_rgb

GREY_MODES = {"1", "L", "LA", "La", "I", "F", "I;16", "I;16B", "I;16L", "I;16N"}
WIDE_MODES = {"I", "F", "I;16", "I;16B", "I;16L", "I;16N"}
OWN_FORMAT = "RNC"
"""What Pillow calls our files (`rnncodec.pillow`): their frames are stages of one picture."""
ALPHA_MODES = {"RGBA", "RGBa", "LA", "La", "PA"}


@dataclass(frozen=True)
class Picture:
    """An image ready to be coded.

    Attributes:
        pixels: uint8 (H, W, 3), upright.
        colour: what the decoder turns the pixels into.
        icc_profile: the profile that the pixels are in; may be empty.
        notes: what was converted or dropped on the way, for people.
    """

    pixels: Pixels
    colour: ColourMode = ColourMode.RGB
    icc_profile: bytes = b""
    notes: list[str] = field(default_factory=list)


def from_image(image: Image.Image | NDArray[np.uint8] | Picture) -> Picture:
    """A Pillow image of any mode, or uint8 (H, W, 3) pixels, ready to be coded.

    What is a :class:`Picture` already is returned as it is.

    ======================= ==============================================================
    grey                    coded as RGB, decoded to grey (``L``)
    EXIF orientation        applied to the pixels; further EXIF and other metadata: dropped
    alpha, transparency     composited over white, with a note (none where all is opaque)
    more than 8 bits        rounded to 8, with a note
    CMYK, LAB, HSV, YCbCr   converted to RGB by Pillow, with a note
    ICC profile             kept for RGB and grey; else dropped, with a note
    ======================= ==============================================================

    Raises:
        DataError: an array of another shape or type, or no image; an image without pixels.
    """
    if isinstance(image, Picture):
        return image
    if isinstance(image, Image.Image):
        return from_pillow(image)
    if not isinstance(image, np.ndarray):
        raise DataError(
            f"{type(image).__name__}: expected a Pillow image or a uint8 array (H, W, 3); "
            "PIL.Image.open opens a file"
        )
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or 0 in image.shape:
        raise DataError(
            f"array of {image.dtype} and shape {image.shape}: expected uint8 (H, W, 3) with pixels"
        )
    return Picture(image)


def from_pillow(image: Image.Image) -> Picture:
    """See :func:`from_image`."""
    if 0 in image.size:
        raise DataError(f"image of {image.width}x{image.height}: it has no pixels")
    mode, notes = image.mode, []
    grey = mode in GREY_MODES
    if mode in WIDE_MODES or decodes_from_16_bits(image):
        notes.append("more than 8 bits per channel are not kept: rounded to 8")
    if may_be_transparent(image):
        notes.append("transparency is not kept: composited over white")
    if tells_more_than_orientation(image):
        notes.append("EXIF data is not kept; its orientation is applied")
    if getattr(image, "n_frames", 1) > 1 and image.format != OWN_FORMAT:
        notes.append("only the current frame is kept")
    profile = image.info.get("icc_profile") or b""
    if mode not in GREY_MODES | ALPHA_MODES | {"RGB", "RGBX", "P"}:
        notes.append(f"{mode} is converted to RGB by Pillow, without colour management")
        if profile:
            notes.append("the ICC profile is dropped: it describes the colours before conversion")
        profile = b""
    if len(profile) > MAX_ICC_PROFILE:
        notes.append(f"the ICC profile is dropped: over {MAX_ICC_PROFILE} bytes")
        profile = b""
    return Picture(to_rgb(image), ColourMode.GREY if grey else ColourMode.RGB, profile, notes)


def may_be_transparent(image: Image.Image) -> bool:
    """Whether there is an alpha channel that is not opaque everywhere, or a transparent colour."""
    if image.mode in ("RGBA", "LA"):
        return image.getchannel("A").getextrema() != (255, 255)
    return image.mode in ALPHA_MODES or "transparency" in image.info


def tells_more_than_orientation(image: Image.Image) -> bool:
    """Whether EXIF data would be lost: anything but the orientation, or what cannot be read."""
    if "exif" not in image.info:
        return False
    try:
        return set(image.getexif()) != {ExifTags.Base.Orientation}
    except (SyntaxError, ValueError, TypeError, struct.error):
        return True


def decodes_from_16_bits(image: Image.Image) -> bool:
    """Whether Pillow will reduce 16 bits per channel to 8 when it loads this image.

    It tells by the decoder that waits for that: nothing is known of an image that is loaded.
    """
    waiting = getattr(image, "tile", [])
    return any(re.search(r";16[BLN]", str(arguments)) for *_, arguments in waiting)


def to_image(pixels: Pixels, colour: ColourMode, icc_profile: bytes) -> Image.Image:
    """Decoded pixels uint8 (H, W, 3) as a Pillow image of mode RGB or L."""
    if colour is ColourMode.GREY:
        mean = (pixels.sum(axis=2, dtype=np.uint16) + 1) // 3
        image = Image.fromarray(mean.astype(np.uint8))
    else:
        image = Image.fromarray(pixels)
    if icc_profile:
        image.info["icc_profile"] = icc_profile
    return image
