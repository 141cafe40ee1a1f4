"""Between Pillow images and what a file stores: 8-bit RGB pixels, a colour mode, a profile.

Nothing is dropped silently: every conversion that loses something is said in a note.
"""

import sys
from dataclasses import dataclass, field
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, TypeAlias, Union, cast

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from rnncodec.bitstream import ColourMode
from rnncodec.bitstream.header import MAX_ICC_PROFILE
from rnncodec.errors import DataError
from rnncodec.images.conversion import Pixels, convert
from rnncodec.images.discarded import embedded_profile, losses_of_file, losses_of_metadata
from rnncodec.images.reading import open_image, readable

if TYPE_CHECKING:
    from torch import Tensor

GREY_MODES = {"1", "L", "LA", "La", "I", "F", "I;16", "I;16B", "I;16L", "I;16N"}
ROUNDING = 1e-3
"""How far outside of [0, 1] a float may lie, as after a resize or another computation."""
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


AnyImage: TypeAlias = Union[
    Image.Image, NDArray[np.uint8], "Tensor", str, PathLike[str], BinaryIO, InputImage
]
"""What :func:`from_image` takes."""


def from_image(image: AnyImage) -> InputImage:
    """A Pillow image, a picture file, an array or a tensor, ready to be coded.

    A file is a path, or an open binary file that can seek. An array is uint8 (H, W) of grey, or
    (H, W, C) of grey, RGB or RGBA (C = 1, 3, 4); a tensor is (C, H, W), or (H, W) of grey, of
    uint8 or of floats in [0, 1], which are rounded. What is an :class:`InputImage` already is
    returned as it is. Of Pillow images and files:

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
    if isinstance(image, str | PathLike):
        with open_image(Path(image)) as opened:
            return from_pillow(opened)
    torch: Any = sys.modules.get("torch")  # who has a tensor has imported it
    if torch is not None and isinstance(image, torch.Tensor):
        image = array_of(image)
    if not isinstance(image, np.ndarray) and hasattr(image, "read"):
        with open_image(cast("BinaryIO", image)) as opened:
            return from_pillow(opened)
    if not isinstance(image, np.ndarray):
        raise DataError(
            f"{type(image).__name__}: expected a Pillow image, a path, an open file, a uint8 "
            "array (H, W, 3) or a tensor (3, H, W)"
        )
    channels = 1 if image.ndim == 2 else image.shape[-1]
    sound = image.dtype == np.uint8 and image.ndim in (2, 3) and channels in (1, 3, 4)
    if not sound or 0 in image.shape:
        raise DataError(
            f"array of {image.dtype} and shape {image.shape}: expected uint8 (H, W, 3) with "
            "pixels, or (H, W) of grey, or (H, W, 4) of RGBA"
        )
    if channels == 3:
        return InputImage(image)
    return from_pillow(Image.fromarray(image[..., 0] if image.shape[2:] == (1,) else image))


def array_of(tensor: "Tensor") -> NDArray[np.uint8]:
    """A tensor (C, H, W) or (H, W), uint8 or floats in [0, 1], as uint8 (H, W, C) or (H, W).

    Raises:
        DataError: other numbers, or floats that are not finite or far outside of [0, 1].
    """
    import torch

    tensor = tensor.detach().cpu()
    if tensor.is_floating_point():
        if not ((tensor >= -ROUNDING) & (tensor <= 1 + ROUNDING)).all():  # NaN is neither
            raise DataError("tensor of floats outside of [0, 1]: expected that range, or uint8")
        tensor = (tensor.clamp(0, 1) * 255).round().to(torch.uint8)
    if tensor.dtype != torch.uint8:
        raise DataError(f"tensor of {tensor.dtype}: expected uint8, or floats in [0, 1]")
    return (tensor.movedim(0, -1) if tensor.ndim == 3 else tensor).contiguous().numpy()


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
