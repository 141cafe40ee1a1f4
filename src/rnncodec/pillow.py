"""Pillow reads and writes .rnc files once this module has been imported.

Reading finds the model by its fingerprint, among the packaged ones and in RNNCODEC_MODELS. An
open image stands at its last, best iteration; ``seek(k)`` shows iteration k, counted from 0.
Writing takes the arguments of :meth:`rnncodec.codec.Codec.encode`, a model and a device, and
Pillow's own ``icc_profile`` and ``exif`` (whose orientation is applied; the rest is not kept)::

    import rnncodec.pillow
    from PIL import Image

    Image.open("photo.png").save("photo.rnc", bpp=0.5, model="compact")
    Image.open("photo.rnc").show()
"""

import math
import warnings
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from PIL import Image, ImageFile, UnidentifiedImageError

from rnncodec import bitstream, models
from rnncodec.bitstream import ColourMode, Header, NeedData, Reader
from rnncodec.bitstream.header import FIXED_SIZE, MAGIC
from rnncodec.errors import ConfigError, RNNCodecError, RNNCodecWarning

if TYPE_CHECKING:
    from rnncodec.codec import Codec

FORMAT = "RNC"
SETTINGS = ("iterations", "bpp", "ms_ssim", "psnr", "tile", "adaptive", "effort", "effort_for")
METADATA = {"icc_profile", "exif"}
TAKEN = {*SETTINGS, *METADATA, "model", "device"}
"""The arguments of ``Image.save`` that count; a warning names others, whose loss may matter."""

DRAFTS = ((2, 8), (4, 4), (8, 3))
"""How many iterations are enough for an image that is made so many times smaller. With
``compact-7``, on four held-out photographs, PSNR against the smaller original: 35.9, 34.8 and 35.6
dB; of the whole image after 16 iterations 32.9 dB."""


class RNCImageFile(ImageFile.ImageFile):
    """An open .rnc file; only its header is read until pixels or the number of frames are asked.

    ``info`` holds the ICC profile, if there is one, and the model's fingerprint. Errors are those
    Pillow's users expect: OSError, of which UnidentifiedImageError is one.
    """

    format = FORMAT
    format_description = "Recurrent neural network image"
    _frame: int | None = 0
    _stale = False  # a copy made by pickle holds pixels and no file

    def _open(self) -> None:
        assert self.fp is not None
        try:
            header = read_header(self.fp)
        except RNNCodecError as error:
            raise UnidentifiedImageError(f"cannot identify image file: {error}") from error
        self._header = header
        self._size = header.width, header.height
        self._mode = "L" if header.colour is ColourMode.GREY else "RGB"
        if header.icc_profile:
            self.info["icc_profile"] = header.icc_profile
        self.info["fingerprint"] = header.fingerprint.hex()
        self._bytes: bytes | None = None
        self._frame = None  # the last one, wherever that is
        self._stale = True
        self._stages: Iterator[Image.Image] | None = None
        self._next_stage = 0

    @property
    def n_frames(self) -> int:
        """Whole iterations in the file."""
        return self._described().iterations

    @property
    def is_animated(self) -> bool:
        """Whether there is more than one iteration."""
        return self.n_frames > 1

    def tell(self) -> int:
        """The current iteration, counted from 0."""
        return self.n_frames - 1 if self._frame is None else self._frame

    def seek(self, frame: int) -> None:
        """Go to an iteration, counted from 0; EOFError where the file has fewer."""
        self._stale |= self._seek_check(frame)
        self._frame = frame

    def draft(
        self, mode: str | None, size: tuple[int, int] | None
    ) -> tuple[str, tuple[int, int, float, float]] | None:
        """Decode fewer iterations where the image will be made smaller, as ``thumbnail`` does.

        The size stays. Whatever is drafted, the smaller image is at least as near to the smaller
        original as the whole one to the original itself (``DRAFTS``).
        """
        if size is None or self._frame is not None or not self._stale or min(size) < 1:
            return None
        scale = min(self.width / size[0], self.height / size[1])
        enough = [frames for least, frames in DRAFTS if scale >= least]
        if not enough or enough[-1] >= self.n_frames:
            return None
        self._frame = enough[-1] - 1
        return self.mode, (0, 0, self.width, self.height)

    def verify(self) -> None:
        """Check the structure of the whole file; the codes in it only decoding can check."""
        self._described()
        super().verify()

    def load(self) -> Any:
        """Decode the current iteration, unless it is loaded; see Pillow.

        Raises:
            OSError: damaged, or no model here has its fingerprint.
        """
        if self._stale:
            self.im = self._decoded(self.tell()).im
            self._stale = False
        return super().load()

    def _decoded(self, frame: int) -> Image.Image:
        data = self._read()
        try:
            codec = codec_at(models.find(self._header.fingerprint))
            # Pillow itself has checked the size, by its own limit, when the file was opened.
            if frame and (self._stages is None or frame != self._next_stage):
                return codec.decode(data, iterations=frame + 1, max_pixels=math.inf)
            # Whoever starts at the first iteration will want the others one by one.
            if self._stages is None or frame == 0:
                self._stages = codec.decode_progressive(data, max_pixels=math.inf)
            self._next_stage = frame + 1
            stage = next(self._stages)
            if self._next_stage == self.n_frames:
                next(self._stages, None)  # nothing more, but of a file that is cut a warning
            return stage
        except RNNCodecError as error:
            self._stages = None
            raise OSError(str(error)) from error

    def _described(self) -> bitstream.Info:
        try:
            return bitstream.info(self._read())
        except RNNCodecError as error:
            raise OSError(str(error)) from error

    def _read(self) -> bytes:
        if self._bytes is None:
            if self.fp is None:
                raise ValueError("Operation on closed image")
            self.fp.seek(0)
            self._bytes = self.fp.read()
            if self._exclusive_fp:
                self.fp.close()
            self.fp = None
        return self._bytes


def read_header(file: IO[bytes]) -> Header:
    """Read as much of a file as its header takes; BitstreamError if it is damaged or cut."""
    reader = Reader(max_pixels=math.inf)
    wanted = FIXED_SIZE
    while True:
        piece = file.read(wanted)
        reader.feed(piece) if piece else reader.close()
        event = reader.next_event()
        if isinstance(event, Header):
            return event
        assert isinstance(event, NeedData)
        wanted = event.missing


@lru_cache(maxsize=2)
def codec_at(path: Path) -> "Codec":
    """The codec of a model file, which stays loaded for the next image."""
    from rnncodec.codec import load

    return load(path)


def save(image: Image.Image, file: IO[bytes], _: str | bytes) -> None:
    """Write an image as Pillow's ``Image.save`` asks for.

    Raises:
        ValueError: a setting that cannot work.
        OSError: no model of this name, an image that cannot be coded.
    """
    from rnncodec.codec import load

    options = image.encoderinfo
    if passed_over := sorted(options.keys() - TAKEN):
        warnings.warn(
            f"{'=, '.join(passed_over)}=: not used in .rnc files; those take "
            f"{', '.join(sorted(TAKEN))}",
            RNNCodecWarning,
            stacklevel=3,
        )
    settings = {name: options[name] for name in SETTINGS if name in options}
    try:
        image = with_metadata(image, options)
        path = models.path_of(options.get("model", models.DEFAULT))
        device = options.get("device", "cpu")
        codec = codec_at(path) if device == "cpu" else load(path, device=device)
        file.write(codec.encode(image, **settings))
    except ConfigError as error:
        raise ValueError(str(error)) from error
    except RNNCodecError as error:
        raise OSError(str(error)) from error


def with_metadata(image: Image.Image, options: dict[str, Any]) -> Image.Image:
    """The image with what the caller gives in place of its own profile and EXIF data.

    Of the latter, the orientation is applied and a warning names the rest, as of an image's own.
    """
    if not METADATA.intersection(options):
        return image
    changed = image.copy()
    for name in ("format", "n_frames"):  # a copy does not know of frames that are left behind
        setattr(changed, name, getattr(image, name, 1))
    for name in METADATA.intersection(options):
        given = options[name]
        given = given.tobytes() if isinstance(given, Image.Exif) else given or b""
        if not isinstance(given, bytes):
            raise ConfigError(f"{name}={given!r}: expected bytes")
        changed.info[name] = given
        if not given:
            del changed.info[name]
    return changed


Image.register_open(FORMAT, RNCImageFile, lambda prefix: prefix.startswith(MAGIC))
Image.register_save(FORMAT, save)
Image.register_extension(FORMAT, ".rnc")
Image.register_mime(FORMAT, "image/x-rnc")
