"""Between Pillow images and what a file stores: 8-bit RGB pixels, a colour mode, a profile.

Nothing is dropped silently: every conversion that loses something is said in a note.
"""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from rnncodec.bitstream import ColourMode
from rnncodec.bitstream.header import MAX_ICC_PROFILE
from rnncodec.errors import DataError
from rnncodec.images.conversion import Pixels, convert
from rnncodec.images.discarded import embedded_profile, losses_of_file, losses_of_metadata
from rnncodec.images.formats import readable

GREY_MODES = {"1", "L", "LA", "La", "I", "F", "I;16", "I;16B", "I;16L", "I;16N"}
ALPHA_MODES = {"RGBA", "RGBa", "LA", "La", "PA"}


@dataclass(frozen=True)
class InputImage:
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


def from_image(image: Image.Image | NDArray[np.uint8] | InputImage) -> InputImage:
    """A Pillow image of any mode, or uint8 (H, W, 3) pixels, ready to be coded.

    What is a :class:`InputImage` already is returned as it is.

    ======================= ==============================================================
    grey                    coded as RGB, decoded to grey (``L``)
    EXIF orientation        applied to the pixels; further EXIF: dropped, with a note
    alpha, transparency     composited over white, with a note (none where all is opaque)
    more than 8 bits        rounded to 8, with a note
    CMYK, LAB, HSV, YCbCr   converted to RGB by Pillow, with a note
    ICC profile             kept if it is one of RGB for RGB, of grey for grey; else dropped,
                            with a note
    other colour spaces     (gAMA, cHRM, cICP, HDR, CICP of AVIF, JPEG 2000's own, Adobe RGB
                            by EXIF, ...) taken for sRGB, with a note
    frames, pages, sizes    the current one is kept, with a note
    XMP, IPTC, text         dropped, with a note
    ======================= ==============================================================

    How each mode becomes RGB: :func:`rnncodec.images.conversion.to_rgb`. What is dropped without
    a note describes neither picture nor colours: resolution in dpi, times, thumbnails.

    Raises:
        DataError: an array of another shape or type, or no image; an image without pixels, or
            one that cannot be decoded.
    """
    if isinstance(image, InputImage):
        return image
    if isinstance(image, Image.Image):
        with readable(getattr(image, "filename", "") or "in memory"):
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
    return InputImage(image)


def from_pillow(image: Image.Image) -> InputImage:
    """See :func:`from_image`; what Pillow's plugins raise is left as it is."""
    mode = image.mode
    notes = losses_of_file(image)
    profile = embedded_profile(image)
    pixels, losses = convert(image)
    notes += [*losses, *losses_of_metadata(image)]
    if mode not in GREY_MODES | ALPHA_MODES | {"RGB", "RGBX", "P"}:
        problem = "it describes the colours before conversion"
    elif len(profile) > MAX_ICC_PROFILE:
        problem = f"over {MAX_ICC_PROFILE} bytes"
    else:
        problem = mismatch(profile, "L" if mode in GREY_MODES else "RGB")
    if profile and problem:
        notes.append(f"the ICC profile is dropped: {problem}")
        profile = b""
    colour = ColourMode.GREY if mode in GREY_MODES else ColourMode.RGB
    return InputImage(pixels, colour, profile, notes)


def mismatch(profile: bytes, mode: str) -> str:
    """What is wrong with a profile for pixels of mode L or RGB; empty if nothing is.

    What is no ICC profile at all is nobody's business: it is kept as it is.
    """
    wanted = {"L": b"GRAY", "RGB": b"RGB "}[mode]
    if profile[36:40] != b"acsp" or profile[16:20] == wanted:
        return ""
    kinds = {b"GRAY": "grey", b"RGB ": "RGB", b"CMYK": "CMYK", b"Lab ": "Lab"}
    described = kinds.get(profile[16:20], "other")
    return f"it describes {described} colours, not {kinds[wanted]}"


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
