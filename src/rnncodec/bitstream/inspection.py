"""What a file says about itself, without decoding it."""

import math
from dataclasses import dataclass

from rnncodec.bitstream.header import Header
from rnncodec.bitstream.mask import Mask
from rnncodec.bitstream.order import ROW_DELAY
from rnncodec.bitstream.reader import parse
from rnncodec.bitstream.segment import SegmentMode

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
