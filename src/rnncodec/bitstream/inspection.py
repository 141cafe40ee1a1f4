"""What a file says about itself, and shorter files out of it: by bytes alone, without a model."""

import math
from dataclasses import dataclass
from itertools import accumulate

from rnncodec.bitstream.header import Header
from rnncodec.bitstream.mask import ROW_DELAY, Mask
from rnncodec.bitstream.reader import parse
from rnncodec.bitstream.segment import SegmentMode
from rnncodec.errors import ConfigError
from rnncodec.validation import is_number, is_whole

MAX_STEPS = 1 << 18
"""Diagonals of flags, of all tiles and iterations, that are read for a description."""


@dataclass(frozen=True)
class Info:
    """A file described.

    `modes`, `segment_bytes` (segment headers included) and `bpp` have one entry per iteration
    present; `bpp[k]` is the rate of the file cut after iteration k + 1, header included.
    `truncated`: the file stops inside an iteration, which is not counted.
    """

    header: Header
    file_bytes: int
    modes: tuple[SegmentMode, ...]
    segment_bytes: tuple[int, ...]
    bpp: tuple[float, ...]
    truncated: bool

    @property
    def iterations(self) -> int:
        """Whole iterations in the file; `header.iterations` is how many it was written with."""
        return len(self.segment_bytes)

    @property
    def ends(self) -> tuple[int, ...]:
        """Bytes from the start of the file to the end of the header, and of each iteration."""
        return tuple(accumulate(self.segment_bytes, initial=len(self.header.pack())))


def info(data: bytes) -> Info:
    """Describe a file.

    Raises:
        BitstreamError: `data` is no file of this format, or its structure is damaged.
    """
    header, segments, truncated = parse(data, max_pixels=math.inf)
    pixels = header.width * header.height
    return Info(
        header=header,
        file_bytes=len(data),
        modes=tuple(segment.mode for segment in segments),
        segment_bytes=tuple(segment.size for segment in segments),
        bpp=tuple(8 * (segment.offset + segment.size) / pixels for segment in segments),
        truncated=truncated,
    )


def sending_shares(data: bytes) -> tuple[float | None, ...]:
    """Which share of the positions sends bits in each iteration present: (1.0, 0.93, ...).

    A mask needs no model; only decoding can tell whether the file is damaged. Masks that would
    take long to read (over some ten seconds) are not: their shares are None.

    Raises:
        BitstreamError: as `info`; or a mask that is cut short.
    """
    header, segments, _ = parse(data, max_pixels=math.inf)
    if not header.adaptive:
        return (1.0,) * len(segments)
    h, w, _ = header.code_shape
    steps = sum(min(tile.h * tile.w, tile.w + ROW_DELAY * tile.h) for tile in header.tiles())
    if steps * len(segments) > MAX_STEPS:
        return (1.0, *[None] * (len(segments) - 1))
    counts = [h * w] + [0] * (len(segments) - 1)
    for number, tile in enumerate(header.tiles()):
        mask = Mask(tile.h, tile.w)
        for t, segment in enumerate(segments[1:], start=1):
            counts[t] += int(mask.read(segment.decoder(number)).sum())
    return tuple(count / (h * w) for count in counts)


def truncate(
    data: bytes,
    *,
    iterations: int | None = None,
    max_bytes: int | None = None,
    bpp: float | None = None,
) -> bytes:
    """Return the beginning of a file: its first `iterations`, or as many as fit.

    They fit in `max_bytes`, or in `bpp` bits per pixel, header included. The result is a whole
    file of fewer iterations. Give exactly one of the three.

    Raises:
        BitstreamError: `data` is no file of this format, or its structure is damaged (the codes
            themselves cannot be verified without the model).
        DataError: `data` is no bytes.
        ConfigError: more iterations than the file has or fewer than 1; or `max_bytes` or `bpp`
            below header and first iteration.
    """
    found = info(data)
    if [iterations, max_bytes, bpp].count(None) != 2:
        raise ConfigError("truncate: give either iterations= or max_bytes= or bpp=")
    if iterations is None:
        by_size = max_bytes is not None
        name, limit = ("max_bytes", max_bytes) if by_size else ("bpp", bpp)
        sizes: tuple[float, ...] = found.ends[1:] if by_size else found.bpp
        if limit is None or not is_number(limit):
            raise ConfigError(f"{name}={limit!r}: expected a number")
        if limit < sizes[0]:
            raise ConfigError(
                f"{name}={limit}: header and first iteration of this file take {sizes[0]:.9g}"
            )
        iterations = sum(size <= limit for size in sizes)
    if not is_whole(iterations) or not 1 <= iterations <= found.iterations:
        raise ConfigError(
            f"iterations={iterations}: this file has 1..{found.iterations} to keep; give a "
            "whole number of these"
        )
    return bytes(data[: found.ends[iterations]])
