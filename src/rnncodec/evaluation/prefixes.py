"""Progressive files of other formats, cut: what one file shows while it arrives, as ours do.

One file of an image is written and its prefixes are decoded by decoders as they are: a JPEG by
Pillow, the others by the programs of their libraries, since Pillow refuses their prefixes or
shows black. A JPEG is cut after its scans, a JPEG 2000 after its layers, a JPEG XL at shares of
its bytes. Quality and layers were chosen on training photographs.
"""

import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import Any, ClassVar, TypeAlias

import numpy as np

from rnncodec import plugins
from rnncodec.errors import ConfigError, DataError
from rnncodec.evaluation.baselines import BASELINES, Baseline
from rnncodec.evaluation.codecs import CodedImage, EvaluatedCodec, is_codec, outside_codecs
from rnncodec.images.reading import Pixels, open_image, to_rgb
from rnncodec.machine.external_tool import Tool

QUALITY = 85
"""Of the whole file of JPEG and JPEG XL. A JPEG then takes 2.0 bpp on average over 40 training
photographs; with a lower one prefixes are better, and end too early to be compared up to 1.5."""

HEADER = 1024
"""Bytes that a decoded picture's file may have beside its pixels."""

JXL_ARGUMENTS = ("--quality", str(QUALITY), "--effort", "7", "--progressive_ac")
"""--progressive_ac shows more of training photographs below 0.75 bpp than --progressive does, and
as much on average from 0.5 to 1.5 bpp."""

PERCENTS = range(2, 101, 2)

SCANS = BASELINES["jpeg-420-progressive"]
LAYERS = BASELINES["jpeg2000"]


@dataclass(frozen=True)
class PrefixCodec(ABC):
    """A format whose files show a picture before they are whole.

    Attributes:
        name: what tables and pictures call it.
        settings: everything that its files depend on, for :meth:`identity`.
    """

    name: str

    settings: ClassVar[list[str]]
    suffix = None  # its files can be made again in no time

    @abstractmethod
    def missing(self) -> str | None:
        """Why this installation cannot measure it; None if it can."""

    @abstractmethod
    def libraries(self) -> dict[str, str | None]:
        """Versions of all that writes and reads its files."""

    @abstractmethod
    def write(self, image: Pixels) -> tuple[bytes, list[tuple[str, int]]]:
        """The file of an image (H, W, 3), and where it is cut: a label, and how many bytes."""

    @abstractmethod
    def read(self, prefix: bytes, shape: tuple[int, ...]) -> Pixels | None:
        """What a prefix of a file shows, uint8 (H, W, 3); None if nothing yet."""

    def identity(self) -> dict[str, Any]:
        """Name, settings and the version of every library and program."""
        return {"prefixes": self.name, "settings": self.settings, "libraries": self.libraries()}

    def code(self, image: Pixels) -> Iterator[CodedImage]:
        """Every prefix that shows a picture; seconds include a program's start and files.

        Raises:
            DataError: the format cannot hold this image; the whole file cannot be read.
        """
        start = time.perf_counter()
        data, cuts = self.write(image)
        encode_s = time.perf_counter() - start
        for label, end in cuts:
            start = time.perf_counter()
            picture = self.read(data[:end], image.shape)
            whole = encode_s if end == len(data) else None
            if picture is not None:
                seconds = time.perf_counter() - start
                yield CodedImage(label, None, data[:end], picture, whole, seconds)
            elif whole is not None:
                raise DataError(f"{self.name}: its decoder shows nothing of a whole file")


class JpegPrefixes(PrefixCodec):
    """A progressive JPEG, cut where its scans end."""

    settings: ClassVar = [SCANS.label(QUALITY), *SCANS.written_options()]

    def missing(self) -> str | None:
        """That of Pillow."""
        return SCANS.missing()

    def libraries(self) -> dict[str, str | None]:
        """Pillow and its JPEG library."""
        return SCANS.libraries()

    def write(self, image: Pixels) -> tuple[bytes, list[tuple[str, int]]]:
        """The file, and its scans' ends."""
        data = SCANS.encode(image, QUALITY)
        ends = [*scan_ends(data)[:-1], len(data)]
        return data, [(f"scan={k}", end) for k, end in enumerate(ends, start=1)]

    def read(self, prefix: bytes, shape: tuple[int, ...]) -> Pixels | None:
        """The picture of the scans so far.

        The missing end marker is added, as any receiver can: a JPEG with fewer scans is a JPEG.
        """
        return SCANS.decode(prefix.removesuffix(END_OF_IMAGE) + END_OF_IMAGE)


@dataclass(frozen=True)
class ToolPrefixes(PrefixCodec):
    """A format whose prefixes a program decodes.

    Attributes:
        decoder: the program.
        suffix_in: of the files that the program reads.
        arguments: of the program, to decode one file into another.
    """

    decoder: Tool
    suffix_in: str

    arguments: ClassVar[str]

    def read(self, prefix: bytes, shape: tuple[int, ...]) -> Pixels | None:
        """What the program makes of a prefix; it is given files of ours alone."""
        source = f"prefix{self.suffix_in}"
        with tempfile.TemporaryDirectory(prefix="rnncodec-") as name:
            target = Path(name, "picture.ppm")
            Path(name, source).write_bytes(prefix)
            asked = self.arguments.format(source=source, target=target.name).split()
            failed = self.decoder.run(*asked, cwd=Path(name))
            if failed is not None or not target.is_file():
                return None
            return read_picture(target, shape, self.name)


def read_picture(path: Path, shape: tuple[int, ...], codec: str) -> Pixels:
    """A decoder's picture; DataError if it is of another size, or cannot be read."""
    expected = f"{shape[1]}x{shape[0]}"
    if path.stat().st_size > np.prod(shape, dtype=np.int64) + HEADER:
        raise DataError(f"{codec}: its decoder wrote a larger picture than {expected}")
    with open_image(path, name=f"picture of {codec}") as image:
        picture = to_rgb(image)
    if picture.shape != shape:
        size = f"{picture.shape[1]}x{picture.shape[0]}"
        raise DataError(f"{codec}: expected {expected} pixels, got {size}")
    return picture


class Jpeg2000Prefixes(ToolPrefixes):
    """A JPEG 2000 of one quality layer for each rate, cut where these end."""

    settings: ClassVar = [*map(LAYERS.label, LAYERS.settings), *LAYERS.written_options()]
    arguments = "-allow-partial -quiet -i {source} -o {target}"

    def missing(self) -> str | None:
        """That of Pillow or the program, which must know how to read a part."""
        reason = LAYERS.missing() or self.decoder.missing()
        if reason is None and "-allow-partial" not in self.decoder.says("-h"):
            reason = f"{self.decoder.program} knows no -allow-partial; install 2.5.0 or newer"
        return reason and f"{self.name}: {reason.removeprefix(f'{LAYERS.name}: ')}"

    def libraries(self) -> dict[str, str | None]:
        """Pillow, its library, and the program."""
        lines = self.decoder.says("-h").splitlines()
        version = next((line for line in lines if "library v" in line), "").rpartition(" ")[2]
        return LAYERS.libraries() | {self.decoder.program: version.rstrip(".") or None}

    def write(self, image: Pixels) -> tuple[bytes, list[tuple[str, int]]]:
        """The file, and its layers' ends.

        A second file states the lengths of its packets, which would be dead weight in itself.
        """
        rates = LAYERS.settings
        how = {"progression": "LRCP", "no_jp2": True, "quality_layers": [24 / r for r in rates]}
        data, stating = (LAYERS.encode(image, rates[-1], plt=plt, **how) for plt in (False, True))
        ends = layer_ends(data, packet_lengths(stating), len(rates))
        return data, list(zip(map(LAYERS.label, rates), [*ends[:-1], len(data)], strict=True))


@dataclass(frozen=True)
class JxlPrefixes(ToolPrefixes):
    """A progressive JPEG XL, cut at shares of its bytes; Pillow's plugin cannot write it."""

    encoder: Tool

    settings: ClassVar = [*JXL_ARGUMENTS, *(f"{percent}%" for percent in PERCENTS)]
    arguments = "{source} {target} --allow_partial_files --num_threads=0 --quiet"

    def missing(self) -> str | None:
        """That of one of the programs; cjxl 0.7 takes ``--progressive_ac`` and ignores it."""
        reason = self.encoder.missing() or self.decoder.missing()
        if reason is None:
            image = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
            try:
                plain = written(self.encoder, image, *JXL_ARGUMENTS[:-1])
                progressive = written(self.encoder, image, *JXL_ARGUMENTS) != plain
            except DataError:
                progressive = False
            if not progressive:
                version = first_line(self.encoder)
                reason = f"{version} writes no progressive files; install libjxl 0.8 or newer"
        return reason and f"{self.name}: {reason}"

    def libraries(self) -> dict[str, str | None]:
        """Both programs."""
        return {tool.program: first_line(tool) or None for tool in (self.encoder, self.decoder)}

    def write(self, image: Pixels) -> tuple[bytes, list[tuple[str, int]]]:
        """The file, and where it is cut: in passes over groups of pixels every byte may count."""
        data = written(self.encoder, image, *JXL_ARGUMENTS)
        return data, [(f"{percent}%", len(data) * percent // 100) for percent in PERCENTS]


def written(encoder: Tool, image: Pixels, *arguments: str) -> bytes:
    """What cjxl makes of an image (H, W, 3); DataError if it fails."""
    height, width = image.shape[:2]
    with tempfile.TemporaryDirectory(prefix="rnncodec-") as name:
        source, target = Path(name, "image.ppm"), Path(name, "image.jxl")
        source.write_bytes(b"P6\n%d %d\n255\n" % (width, height) + image.tobytes())
        asked = (source.name, target.name, *arguments, "--num_threads=0", "--quiet")
        failed = encoder.run(*asked, cwd=Path(name))
        if failed is not None:
            size = f"{width}x{height}"
            raise DataError(f"{encoder.program} cannot write an image of {size}: {failed}")
        return target.read_bytes()


def first_line(tool: Tool) -> str:
    """Of what a program says its version is."""
    return tool.says("--version").partition("\n")[0].partition("[")[0].strip()


END_OF_IMAGE = b"\xff\xd9"
"""The marker that ends a JPEG."""


def scan_ends(data: bytes) -> list[int]:
    """Where the scans of a JPEG end, in bytes from its start; DataError if it is damaged."""
    ends, place = [], 2
    while data[place : place + 2] != END_OF_IMAGE:
        if place + 4 > len(data) or data[place] != 0xFF:
            raise DataError(f"byte {place}: expected a marker of JPEG")
        scan = data[place + 1] == 0xDA
        place += 2 + int.from_bytes(data[place + 2 : place + 4], "big")
        if scan:
            place = next_marker(data, place)
            ends.append(place)
    return ends


def next_marker(data: bytes, place: int) -> int:
    """Where the coded data from ``place`` on end: at a 0xff that is neither data nor a restart."""
    while True:
        place = data.find(0xFF, place)
        if not 0 <= place < len(data) - 1:
            raise DataError(f"byte {len(data)}: expected the end of a scan of JPEG")
        if data[place + 1] != 0 and not 0xD0 <= data[place + 1] <= 0xD7:
            return place
        place += 2


def layer_ends(data: bytes, packets: list[int], layers: int) -> list[int]:
    """Where the layers of a JPEG 2000 codestream of one tile end, from the lengths of its packets.

    There are as many in each layer; DataError if they do not fill the codestream.
    """
    start = next(end for marker, end in segments(data) if marker == 0x93)
    each, rest = divmod(len(packets), layers)
    if rest or not each or start + sum(packets) + 2 != len(data):
        raise DataError(f"byte {start}: expected {layers} layers to fill the codestream")
    return list(accumulate(packets, initial=start))[each::each]


def packet_lengths(data: bytes) -> list[int]:
    """What the PLT segments of a codestream say: seven bits a byte, the highest bit continues."""
    lengths, value, start = [], 0, 2
    for marker, end in segments(data):
        for byte in data[start + 5 : end] if marker == 0x58 else b"":
            value = value << 7 | byte & 0x7F
            if byte < 0x80:
                lengths.append(value)
                value = 0
        start = end
    return lengths


def segments(data: bytes) -> Iterator[tuple[int, int]]:
    """The second byte of each marker of a codestream, up to the data, and where it ends."""
    place = 2
    while place + 4 <= len(data):
        marker = data[place + 1]
        place += 2 if marker == 0x93 else 2 + int.from_bytes(data[place + 2 : place + 4], "big")
        yield marker, place
        if marker == 0x93:
            return
    raise DataError(f"byte {place}: expected a marker of JPEG 2000")


OPENJPEG = Tool("opj_decompress", "OpenJPEG's tools (Debian: libopenjp2-tools)")
DJXL, CJXL = (Tool(name, "libjxl's tools (Debian: libjxl-tools)") for name in ("djxl", "cjxl"))
_ALL: tuple[PrefixCodec, ...] = (
    JpegPrefixes("jpeg-420-prefixes"),
    Jpeg2000Prefixes("jpeg2000-prefixes", OPENJPEG, ".j2k"),
    JxlPrefixes("jxl-prefixes", DJXL, ".jxl", CJXL),
)
PREFIXES: dict[str, PrefixCodec] = {codec.name: codec for codec in _ALL}
"""All of these codecs by name, in the order of tables."""

Anchor: TypeAlias = Baseline | PrefixCodec

ANCHORS: dict[str, Anchor] = {**BASELINES, **PREFIXES}
"""By name, in the order of tables."""


def chosen_baselines(asked: str) -> tuple[list[EvaluatedCodec], list[str]]:
    """The baselines of ``--baselines`` (names with commas between, ``all`` of ours, or ``none``).

    And why others that ``all`` asks for are left out. ConfigError for a name that is unknown, or
    that this installation cannot write.
    """
    if asked == "none":
        return [], []
    names = list(ANCHORS) if asked == "all" else list(dict.fromkeys(asked.split(",")))
    found: dict[str, Any] = {**ANCHORS, **outside_codecs([] if asked == "all" else names, ANCHORS)}
    if unknown := ", ".join(repr(name) for name in names if name not in found):
        valid = ", ".join([*ANCHORS, *plugins.names("baselines", is_codec)])
        raise ConfigError(f"--baselines: no {unknown}; choose among {valid}, or all, or none")
    reasons = {name: getattr(found[name], "missing", lambda: None)() for name in names}
    lacking = [reason for reason in reasons.values() if reason]
    if lacking and asked != "all":
        raise ConfigError(f"--baselines: {'; '.join(lacking)}")
    return [found[name] for name in names if not reasons[name]], lacking
