"""The codec as its users see it: images in, bytes out, and back."""

import dataclasses
import functools
import math
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from os import PathLike
from typing import Any

import numpy as np
import torch
from PIL import Image

from rnncodec import bitstream, models
from rnncodec.bitstream import (
    Codes,
    End,
    Header,
    NeedData,
    Reader,
    Segment,
    cut_segment,
    info,
    parse,
    sending,
)
from rnncodec.coding import entropy_coding
from rnncodec.coding.adaptive import StopRule
from rnncodec.coding.adaptive_encoding import encode_adaptively
from rnncodec.coding.chunks import Source, chunks_of, read_all
from rnncodec.coding.encoding import ImageEncoder, Target
from rnncodec.coding.entropy_coding import CodeReader
from rnncodec.coding.input_image import AnyImage, InputImage, from_image, to_image
from rnncodec.coding.latent_optimization import Effort
from rnncodec.coding.partial import block_errors, filling
from rnncodec.coding.transform import Synthesizer, Transform, synthesize_all
from rnncodec.errors import BitstreamError, ConfigError, DataError, ModelError, RNNCodecWarning
from rnncodec.geometry import BLOCK
from rnncodec.images.distortion import trained_for
from rnncodec.images.reading import Pixels
from rnncodec.machine import devices
from rnncodec.machine.processors import compute_after_fork
from rnncodec.models import model_file
from rnncodec.models.model_file import Model
from rnncodec.plugins import give
from rnncodec.validation import is_whole

TILE = 1024
"""Side of the tiles that large images are cut into, in pixels."""
UNTILED_PIXELS = 2**21
"""Up to this many pixels (2 Mpixel, 3 GiB) an image is coded in one piece by default."""


class Codec:
    """A trained model, ready to code images of any size.

    Encoding runs the network once and stops when a target is reached (of very large images some
    tiles run again, see :mod:`rnncodec.coding.transform`); any prefix decodes. The same codes give
    the same bytes on every machine, and the bytes give back the same codes; pixels agree to
    rounding. A process may load a codec and then fork: each child codes with one thread.

    Args:
        model: network and entropy model; the network becomes one for inference, see
            :class:`~rnncodec.coding.transform.Transform`.
        device: where the network runs; the entropy model always runs on the CPU.

    Raises:
        ModelError: no model.
        ConfigError: no such device here.

    Examples:
        >>> from rnncodec.network.cells.gru import GRU
        >>> from rnncodec.network.autoencoder import Network
        >>> from rnncodec.network.recon.additive import Additive
        >>> codec = Codec(Model(Network(GRU, Additive, width=0.125, iterations=4)))
        >>> data = codec.encode(Image.new("RGB", (40, 30)))
        >>> codec.decode(data).size, codec.decode(data, iterations=1).mode
        ((40, 30), 'RGB')
    """

    def __init__(self, model: Model, *, device: torch.device | str = "cpu") -> None:
        if not isinstance(model, Model):
            raise ModelError(
                f"{type(model).__name__}: expected a Model; rnncodec.load reads a codec's file"
            )
        devices.check_device(device)
        compute_after_fork()
        self.model = model
        self.transform = Transform(model.network, torch.device(device))
        self._encoder = ImageEncoder(self.transform, model.entropy)
        self._fingerprint: bytes | None = None

    @property
    def iterations(self) -> int:
        """The most iterations this model codes with."""
        return self.model.network.iterations

    @property
    def fingerprint(self) -> bytes:
        """16 bytes that name the model in every file it writes."""
        if self._fingerprint is None:
            self._fingerprint = self.model.fingerprint()
        return self._fingerprint

    def save(self, path: str | PathLike[str], *, dtype: torch.dtype | None = None) -> None:
        """Write the model file; see :func:`rnncodec.models.model_file.save`."""
        model_file.save(path, self.model, dtype=dtype)

    def encode(
        self,
        image: AnyImage,
        *,
        iterations: int | None = None,
        bpp: float | None = None,
        ms_ssim: float | None = None,
        psnr: float | None = None,
        tile: int | None = None,
        adaptive: str | None = None,
        effort: int = 0,
        effort_for: str | None = None,
        progress: Callable[[int, int], None] | None = None,
    ) -> bytes:
        """Compress one image; at most one of the four targets may be given.

        Args:
            image: a Pillow image, a picture file (a path, an open file), an array (H, W, 3) or a
                tensor (3, H, W); for grey, alpha, profiles and floats see
                :func:`rnncodec.coding.input_image.from_image`.
            iterations: how many; default: all, or as many as bring 50 dB of PSNR, which takes few
                where a picture is all but empty.
            bpp: at most ``bpp * W * H / 8`` bytes, header included: as many iterations as fit,
                and one more in the blocks that need it most (:mod:`rnncodec.coding.partial`).
            ms_ssim: stop where MS-SSIM, of the whole image however it is cut into tiles, is at
                least this: in the last iteration only the blocks that need it most send.
            psnr: the same for PSNR over RGB, in dB.
            tile: side of independently coded tiles in pixels, a multiple of 16; 0: one piece,
                which may have 16 Mpixel; default: 1024 for images over 2 Mpixel.
            adaptive: ``ssim`` or ``mse``: let blocks end where more bits would bring too little,
                by a threshold of :mod:`rnncodec.coding.adaptive` that fits the target, or by one
                given as ``mse=1e-4``. Takes twice the time of plain coding, with a target ten
                times.
            effort: steps of gradient descent that search for better bits, for those of each
                iteration (see :mod:`rnncodec.coding.latent_optimization`); 4 save 10 to 25 % of
                the bytes at equal MS-SSIM and take 7 to 25 times as long as plain coding (up to 40
                where bf16 does not pay). With a rate they raise the quality at its end, with
                a quality they save iterations, without a target they raise the quality after each.
                With ``adaptive`` they search for the bits that are sent; a quality asked of both
                takes eight searches.
            effort_for: what the search makes better: ``ms_ssim``, ``psnr_hvs``, ``psnr`` or
                ``balanced`` (MS-SSIM and PSNR-HVS alike: a percent of either's error counts the
                same); default: what the model's own loss weighs, by its file.
            progress: called with (steps of ``effort`` done, in all), for each tile and search.

        Returns:
            The file.

        Raises:
            ConfigError: more than one target, or one out of range; tiles too large or too many.
            DataError: no pixels; MS-SSIM asked of an image under 176 pixels.

        Warns:
            TargetWarning: a target cannot be reached; the best reachable is used.
            RNNCodecWarning: something of the image cannot be kept.
        """
        targets = {"iterations": iterations, "bpp": bpp, "ms_ssim": ms_ssim, "psnr": psnr}
        how = {"tile": tile, "adaptive": adaptive, "progress": progress}
        how |= {"effort": effort, "effort_for": effort_for}
        return self.encode_all([image], **how, **targets)[0]  # type: ignore[arg-type]

    def encode_all(
        self,
        images: Sequence[AnyImage],
        *,
        iterations: int | None = None,
        bpp: float | None = None,
        ms_ssim: float | None = None,
        psnr: float | None = None,
        tile: int | None = None,
        adaptive: str | None = None,
        effort: int = 0,
        effort_for: str | None = None,
        progress: Callable[[int, int], None] | None = None,
    ) -> list[bytes]:
        """Compress images of one size together, which is faster; see :meth:`encode`.

        Raises:
            DataError: no images, or of several sizes.
        """
        target = Target.of(iterations, bpp, ms_ssim, psnr)
        rule = None if adaptive is None else StopRule.parse(adaptive)
        search = None
        if not is_whole(effort) or effort != 0:
            metric = trained_for(self.model.notes) if effort_for is None else effort_for
            rates = self._encoder.rate_model
            search = Effort(effort, metric, entropy=rates, progress=progress)
        elif effort_for is not None:
            raise ConfigError(f"effort_for={effort_for}: is for a search; give effort=, too")
        if not isinstance(images, Iterable) or isinstance(images, str | bytes):
            raise DataError(
                f"{type(images).__name__}: expected several images; encode compresses a single one"
            )
        inputs = [from_image(image) for image in images]
        if len(shapes := {each.pixels.shape for each in inputs}) != 1:
            raise DataError(
                f"{len(inputs)} images of {len(shapes)} sizes: expected one or more of one size"
            )
        for note in {note for each in inputs for note in each.notes}:
            warnings.warn(note, RNNCodecWarning, stacklevel=3)
        headers = [self._header(each, iterations, tile) for each in inputs]
        if rule is not None:
            return encode_adaptively(self._encoder, inputs, headers, (rule, target, search))
        if search is not None:
            pairs = zip(inputs, headers, strict=True)
            return [self._encoder.refine(*pair, target, search) for pair in pairs]
        return self._encoder.encode(inputs, headers, target)

    def decode(
        self,
        data: Source,
        *,
        iterations: int | None = None,
        partial: bool = False,
        region: Sequence[int] | None = None,
        max_pixels: float | None = None,
    ) -> Image.Image:
        """Decompress a file, or any prefix of one that holds at least one iteration.

        Args:
            data: the file's bytes, its path, an open binary file or socket file, or chunks.
            iterations: use only the first so many, which takes that share of the time.
            partial: of a file that ends within an iteration, use what has arrived of it, too,
                block by block. No checksum vouches for these bits: what brought them must have.
            region: left, upper, right and lower border, in pixels, of the part to decode. The
                network runs for the tiles that it touches alone; all codes are read and checked.
            max_pixels: refuse larger images; default: Pillow's own limit.

        Raises:
            BitstreamError: damaged, hostile, or of another format.
            DataError: it cannot be read.
            ModelError: written with another model; both fingerprints are named.
            ConfigError: more iterations than the file has; a region that is not in the picture.

        Warns:
            RNNCodecWarning: the file stops inside an iteration, which is not used, or in part.
        """
        header, codes = self._read(data, iterations, max_pixels, partial=partial)
        pixels = Synthesizer(self.transform, header, len(codes), region).synthesize(codes)
        return to_image(pixels, header.colour, header.icc_profile)

    def decode_all(
        self,
        files: Iterable[Source],
        *,
        iterations: int | None = None,
        max_pixels: float | None = None,
    ) -> list[Image.Image]:
        """Decompress several files; small ones of one size together, which is faster.

        Pixels are those of :meth:`decode` to rounding (one level of 255).

        Args:
            files: each as ``data`` of :meth:`decode`.
            iterations: use only the first so many of each.
            max_pixels: refuse larger images; default: Pillow's own limit.

        Raises:
            BitstreamError, DataError, ModelError, ConfigError: as :meth:`decode`, of the first
                file with a fault, before any is synthesized.
        """
        opened = [self._read(data, iterations, max_pixels) for data in files]
        alike: dict[tuple[int, ...], list[int]] = {}
        for k, (header, codes) in enumerate(opened):
            size = header.height, header.width, header.tile, len(codes)
            alike.setdefault(size, []).append(k)
        pixels: dict[int, Pixels] = {}
        for numbers in alike.values():
            headers, stacks = zip(*(opened[k] for k in numbers), strict=True)
            pixels |= zip(numbers, synthesize_all(self.transform, headers, stacks), strict=True)
        return [
            to_image(pixels[k], header.colour, header.icc_profile)
            for k, (header, _) in enumerate(opened)
        ]

    def truncate(
        self, data: Source, *, max_bytes: int | None = None, bpp: float | None = None
    ) -> bytes:
        """A shorter file that fills a size, out of a longer one.

        As many iterations as fit, and one more in the blocks that it changes most. That takes the
        time of decoding these; :func:`rnncodec.bitstream.truncate` needs no model, and leaves up
        to an iteration's bytes unused.

        Args:
            data: as of :meth:`decode`.
            max_bytes: the most bytes of the file.
            bpp: the same in bits per pixel, header included.

        Raises:
            ConfigError: none or both of them, or less than header and first iteration take.
            BitstreamError, DataError, ModelError: as :meth:`decode`.
        """
        data = read_all(data)
        shorter = bitstream.truncate(data, max_bytes=max_bytes, bpp=bpp)
        whole = info(shorter).iterations
        header, codes = self._read(data, min(whole + 1, info(data).iterations), math.inf)
        if len(codes) == whole:
            return shorter
        limit = max_bytes if bpp is None else bpp * header.width * header.height / 8
        synthesizer = Synthesizer(self.transform, header, len(codes))
        pictures = [synthesizer.synthesize(part) for part in (codes[:whole], codes[whole:])]
        before, after = (torch.from_numpy(each).permute(2, 0, 1)[None] for each in pictures)
        write = functools.partial(self._encoder.write, header)
        filled = write(filling(codes, block_errors(after, before), write, limit or 0))
        return max((shorter, filled), key=lambda file: len(file) * (len(file) <= (limit or 0)))

    def decode_progressive(
        self,
        source: Source,
        *,
        partial: bool = False,
        max_pixels: float | None = None,
    ) -> Iterator[Image.Image]:
        """Yield the image after each iteration, as soon as its bytes have arrived.

        Args:
            source: as ``data`` of :meth:`decode`. A file that does not block is waited for; an
                empty chunk is not the end.
            partial: at the end of a file that ends within an iteration, one image more, as of
                :meth:`decode`.
            max_pixels: refuse larger images; default: Pillow's own limit.

        Raises:
            BitstreamError, DataError, ModelError: as :meth:`decode`, when the damage is reached.

        Warns:
            RNNCodecWarning: the file stops inside an iteration, which is not used, or in part.
        """
        for header, pixels in self._progress(source, max_pixels, partial=partial):
            yield to_image(pixels, header.colour, header.icc_profile)

    def encode_codes(self, image: AnyImage, *, iterations: int | None = None) -> Codes:
        """The bits of an image before entropy coding: uint8 (T, H/16, W/16, 32), 1 for +1."""
        given = from_image(image)
        header = self._header(given, iterations, None)
        codes: Codes = self.transform.analyse(given.pixels[None], header).codes[0]
        return codes

    def decode_codes(self, data: Source, *, max_pixels: float | None = None) -> Codes:
        """The bits of a file: uint8 (T, H/16, W/16, 32), 1 for +1; exact on every machine.

        In an adaptive file 2 stands for the bits of a block that has stopped.
        """
        return self._read(data, None, max_pixels)[1]

    def reconstructions(self, image: Pixels) -> Iterator[tuple[float, Pixels]]:
        """Through a whole file: (bpp of the file cut here, uint8 (H, W, 3)) per iteration."""
        data = self.encode(image)
        pictures = (pixels for _, pixels in self._progress(data, None))
        yield from zip(info(data).bpp, pictures, strict=True)

    def _header(self, image: InputImage, iterations: int | None, tile: int | None) -> Header:
        iterations = self.iterations if iterations is None else iterations
        if not is_whole(iterations) or not 1 <= iterations <= self.iterations:
            raise ConfigError(
                f"iterations={iterations}: this model was trained for 1..{self.iterations}; "
                "give a whole number of these"
            )
        height, width, _ = image.pixels.shape
        if tile is None:
            tile = TILE if height * width > UNTILED_PIXELS else 0
        if not is_whole(tile) or tile < 0 or tile % BLOCK:
            raise ConfigError(f"tile={tile}: expected a multiple of {BLOCK}, or 0 for one piece")
        try:
            return Header(
                width=width,
                height=height,
                iterations=iterations,
                fingerprint=self.fingerprint,
                colour=image.colour,
                tile=tile,
                icc_profile=image.icc_profile,
            )
        except BitstreamError as error:
            raise ConfigError(f"this image cannot be written: {error.message}") from error

    def _read(
        self,
        data: Source,
        iterations: int | None,
        max_pixels: float | None,
        *,
        partial: bool = False,
    ) -> tuple[Header, Codes]:
        """The header of a file, and its codes; they are an adaptive file's if some are missing."""
        data = read_all(data)
        header, segments, truncated = parse(data, max_pixels=max_pixels)
        self._check(header)
        if iterations is not None:
            if not is_whole(iterations) or not 1 <= iterations <= len(segments):
                raise ConfigError(
                    f"iterations={iterations}: this file has 1..{len(segments)}; give a whole "
                    "number of these"
                )
            segments = segments[:iterations]
        cut = cut_segment(data) if truncated and partial and iterations is None else None
        reader = CodeReader(self.model.entropy, header, len(segments) + (cut is not None))
        codes = reader.read(segments)
        more = None if cut is None else reader.read_cut(cut)
        if truncated:
            warn_cut(header, len(segments), more)
        if more is None or not sending(more).any():
            return header, codes
        return dataclasses.replace(header, adaptive=True), np.concatenate([codes, more[None]])

    def _check(self, header: Header) -> None:
        if header.fingerprint != self.fingerprint:
            raise ModelError(
                f"the file was written with model {header.fingerprint.hex()}, this is model "
                f"{self.fingerprint.hex()}; decode it with the model it was written with"
            )
        entropy_coding.check_iterations(header, self.iterations)

    def _progress(
        self, source: Source, max_pixels: float | None, *, partial: bool = False
    ) -> Iterator[tuple[Header, Pixels]]:
        reader, header = Reader(max_pixels=max_pixels), None
        chunks = chunks_of(source)
        while not isinstance(event := reader.next_event(), End):
            if isinstance(event, Header):
                header = event
                self._check(header)
                codes = CodeReader(self.model.entropy, header, header.iterations)
                shown = dataclasses.replace(header, adaptive=header.adaptive or partial)
                synthesizer = Synthesizer(self.transform, shown, header.iterations)
            elif isinstance(event, Segment):
                assert header is not None
                yield header, synthesizer.synthesize(codes.read([event]))
            elif isinstance(event, NeedData):
                chunk = next(chunks, b"")
                reader.feed(chunk) if chunk else reader.close()
        if event.truncated:
            assert header is not None
            cut = reader.cut_segment() if partial else None
            more = None if cut is None else codes.read_cut(cut)
            warn_cut(header, event.iterations, more)
            if more is not None and sending(more).any():
                yield header, synthesizer.synthesize(more[None])


def warn_cut(header: Header, used: int, more: Codes | None) -> None:
    """Say that a file stops inside an iteration, and what is used of that, codes (h, w, 32)."""
    share = 0 if more is None else sending(more).mean()
    warnings.warn(
        f"the file is cut: {used} of its {header.iterations} iterations are used"
        + (f", and of the next one {share:.0%} of the blocks, unverified" if share else ""),
        RNNCodecWarning,
        stacklevel=4,
    )


def load(
    model: str | PathLike[str] = models.DEFAULT,
    *,
    device: torch.device | str = "cpu",
    plugins: Sequence[Any] = (),
) -> Codec:
    """Read a codec from a model file.

    Args:
        model: the path of a model file, or a name (see :mod:`rnncodec.models`).
        device: where its network will run.
        plugins: classes from other packages that the model may be made of, or modules that hold
            them; this process knows them from here on (see :mod:`rnncodec.plugins`).

    Raises:
        ModelError: no such file or name, not a model file, damaged, from a newer version, or made
            of a class that is not known here.
        ConfigError: no such device here.
    """
    give(*plugins)
    path = models.path_of(model)
    devices.check_device(device)
    return Codec(model_file.load(path), device=device)
