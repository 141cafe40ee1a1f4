"""What of a picture file is discarded, beside pixels: depth, colours, frames, metadata."""

import re
from collections.abc import Iterator, Sequence

from PIL import ExifTags, Image

from rnncodec.images.file_headers import (
    avif_depth,
    contents,
    file_bytes,
    jpeg2000_depths,
    jpeg_xl_header,
    png_chunks,
    tiff_tags,
)

WIDE_MODES = {"I", "F", "I;16", "I;16B", "I;16L", "I;16N"}
OWN_FORMAT = "RNC"
"""What Pillow calls our files (`rnncodec.pillow`): their frames are stages of one picture."""

DEPTH = "more than 8 bits per channel are not kept: rounded to 8"
EXIF = "EXIF data is not kept; its orientation is applied"
AS_SRGB = "not kept: the colours are taken for sRGB"
_OWN_COMMENT = b"Created by OpenJPEG"

_PARSED = ("PNG", "JPEG2000", "AVIF", "JXL", "BMP")
_SRGB_CICP = bytes([1, 13, 0, 1])
_SRGB_GAMMA = 0.45455
_SRGB_POINTS = (0.3127, 0.329, 0.64, 0.33, 0.3, 0.6, 0.15, 0.06)
"""x and y of white, red, green and blue."""
_NEAR = 0.002
_SRGB_PRIMARIES = {1, 2}  # BT.709, not stated
_SRGB_TRANSFERS = {1, 2, 6, 13, 14, 15}  # sRGB, not stated, and what is shown alike: BT.709, ...
_JP2_CONVERTED = {0, 12, 15, 16, 17, 18}  # bilevel, CMYK (which the mode tells), sRGB, grey, sYCC
_TIFF_COLOURS = {301: "TransferFunction", 318: "WhitePoint", 319: "PrimaryChromaticities"}
_TIFF_METADATA = {270, 271, 272, 305, 306, 315, 33432, 34665, 34853}  # as in EXIF
_IPTC, _EXTRA_SAMPLES, _SUBFILE_TYPE = 33723, 338, 254
_REDUCED = 1
_MOST = 255
_BMP_V5 = bytes([124])  # how long its header is
_ADOBE_RGB = 2


def losses_of_file(image: Image.Image) -> list[str]:
    """Notes on depth, colours and frames, of an image that is not loaded yet.

    Of one that is loaded, or made in memory, only what Pillow still knows is noted.
    """
    data = file_bytes(image) if image.format in _PARSED else b""
    colours = list(_colours(image, data))
    return [
        *([DEPTH] if _is_deep(image, data) else []),
        *([f"{' and '.join(colours)} {_are(colours)} {AS_SRGB}"] if colours else []),
        *_frames(image, data),
    ]


def losses_of_metadata(image: Image.Image) -> list[str]:
    """Notes on metadata, of an image that is loaded: some PNG files have theirs at the end."""
    notes = []
    if _says_more_than_orientation(image):
        notes.append(EXIF)
    if _is_adobe_rgb(image):
        notes.append(f"Adobe RGB, which EXIF states, is {AS_SRGB}")
    if others := list(_other_metadata(image)):
        notes.append(f"{' and '.join(others)} {_are(others)} not kept")
    return notes


def _are(things: Sequence[str]) -> str:
    return "is" if len(things) == 1 else "are"


def embedded_profile(image: Image.Image) -> bytes:
    """The ICC profile of an image; also that of a JPEG 2000 file, which Pillow passes over."""
    if image.format == "JPEG2000":
        for colour in contents(file_bytes(image), b"jp2h", b"colr"):
            if colour[:1] in (b"\x02", b"\x03"):
                return colour[3:]
    return image.info.get("icc_profile") or b""


def _is_deep(image: Image.Image, data: bytes) -> bool:
    """Whether Pillow reduces samples to 8 bits when it loads this image, or we do after that.

    It tells by the decoder that waits for that, where that one knows.
    """
    if image.mode in WIDE_MODES:
        return True
    if image.format == "JPEG2000":
        return max(jpeg2000_depths(data), default=8) > 8
    if image.format == "AVIF":
        return avif_depth(data) > 8
    if image.format == "JXL":
        return jpeg_xl_header(data).depth > 8
    for decoder, _, _, arguments in getattr(image, "tile", []):
        wide = decoder in ("ppm", "ppm_plain") and isinstance(arguments, tuple)
        if wide and arguments[-1] > _MOST:  # the value of white
            return True
        if decoder == "SGI16" or re.search(r";16[BLNR]|BC6H", str(arguments)):
            return True
    return False


def _png_colours(image: Image.Image, chunks: dict[bytes, bytes]) -> list[str]:
    """The chunks that say the colours are other than sRGB, of those that count beside others."""
    names = [name for name in ("mDCV", "mDCv", "cLLI", "cLLi") if name.encode() in chunks]
    if b"cICP" in chunks:
        return [*(["cICP"] if chunks[b"cICP"][:4] != _SRGB_CICP else []), *names]
    if "icc_profile" in image.info or "srgb" in image.info:
        return names
    if not _near(image.info.get("chromaticity", _SRGB_POINTS), _SRGB_POINTS):
        names.insert(0, "cHRM")
    if not _near([image.info.get("gamma", _SRGB_GAMMA)], [_SRGB_GAMMA]):
        names.insert(0, "gAMA")
    return names


def _near(found: Sequence[float], wanted: Sequence[float]) -> bool:
    return len(found) == len(wanted) and all(
        abs(a - b) < _NEAR for a, b in zip(found, wanted, strict=True)
    )


def _colours(image: Image.Image, data: bytes) -> Iterator[str]:
    """What says that colours are other than sRGB, and is not an ICC profile that is kept."""
    if image.format == "PNG":
        yield from _png_colours(image, png_chunks(data))
    if "icc_profile" in image.info:
        return
    if image.format == "AVIF":
        for colour in contents(data, b"meta", b"iprp", b"ipco", b"colr"):
            primaries, transfer = (int.from_bytes(colour[k : k + 2]) for k in (4, 6))
            known = primaries in _SRGB_PRIMARIES and transfer in _SRGB_TRANSFERS
            if colour[:4] == b"nclx" and not known:
                yield f"the colour space of CICP {primaries}/{transfer}"
    if image.format == "JPEG2000":
        for colour in contents(data, b"jp2h", b"colr"):
            if colour[:1] == b"\x01" and int.from_bytes(colour[3:7]) not in _JP2_CONVERTED:
                yield f"the colour space {int.from_bytes(colour[3:7])} of JPEG 2000"
    if image.format == "BMP" and data[14:15] == _BMP_V5 and data[70:74] in (b"DEBM", b"KNIL"):
        yield "the colour profile of a BMP file"
    tags = tiff_tags(image)
    points = [float(x) for tag in (318, 319) for x in tags.get(tag, ())]
    if 301 in tags or (points and not _near(points, _SRGB_POINTS)):
        yield " and ".join(name for tag, name in _TIFF_COLOURS.items() if tag in tags)


def _frames(image: Image.Image, data: bytes) -> Iterator[str]:
    animated = image.format == "JXL" and jpeg_xl_header(data).animated
    if image.format != OWN_FORMAT and (animated or getattr(image, "n_frames", 1) > 1):
        yield "only the current frame is kept"
    if image.format in ("ICO", "ICNS") and len(image.info.get("sizes", ())) > 1:
        yield "only the largest of its pictures is kept"
    if tiff_tags(image).get(_SUBFILE_TYPE, 0) & _REDUCED:
        yield "this is a reduced version of another picture in the file, which is not read"
    if 0 in tiff_tags(image).get(_EXTRA_SAMPLES, ()):
        yield "channels beyond the colours are not kept"


def _other_metadata(image: Image.Image) -> Iterator[str]:
    if "xmp" in image.info:
        yield "XMP data"
    if "photoshop" in image.info or _IPTC in tiff_tags(image):
        yield "IPTC data"
    # the text of an animation is known only after all its frames, which are another note
    text = None if getattr(image, "is_animated", False) else getattr(image, "text", None)
    comment = image.info.get("comment")
    if image.format == "JPEG2000" and comment and comment.startswith(_OWN_COMMENT):
        comment = None  # it tells of a library, not of the picture
    if text or comment:
        yield "text"


def _says_more_than_orientation(image: Image.Image) -> bool:
    """Whether EXIF data would be lost: anything but the orientation, or what cannot be read."""
    if _TIFF_METADATA.intersection(tiff_tags(image)):
        return True
    if "exif" not in image.info:
        return False
    try:
        return set(image.getexif()) != {ExifTags.Base.Orientation}
    except Exception:  # noqa: BLE001  # whatever Pillow's parser stumbles over
        return True


def _is_adobe_rgb(image: Image.Image) -> bool:
    """Whether only EXIF says that the colours are Adobe RGB, as cameras write it."""
    if "exif" not in image.info or image.info.get("icc_profile"):
        return False
    try:
        details = image.getexif().get_ifd(ExifTags.IFD.Exif)
        interop = image.getexif().get_ifd(ExifTags.IFD.Interop)
    except Exception:  # noqa: BLE001  # whatever Pillow's parser stumbles over
        return False
    return details.get(ExifTags.Base.ColorSpace) == _ADOBE_RGB or interop.get(1) == "R03"
