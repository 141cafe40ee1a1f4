"""Shorter files out of longer ones, by bytes alone: no model, no pixels."""

import math

from rnncodec.bitstream.reader import Parsed, parse
from rnncodec.errors import ConfigError
from rnncodec.validation import is_number, is_whole


def truncate(data: bytes, *, iterations: int | None = None, max_bytes: int | None = None) -> bytes:
    """Return the beginning of a file: its first `iterations`, or as many as fit in `max_bytes`.

    The result is a whole file of fewer iterations. Give exactly one of the two.

    Raises:
        BitstreamError: `data` is no file of this format, or its structure is damaged (the codes
            themselves cannot be verified without the model).
        DataError: `data` is no bytes.
        ConfigError: more iterations than the file has or fewer than 1; or `max_bytes` below
            header and first iteration.
    """
    parsed = parse(data, max_pixels=math.inf)
    if (iterations is None) == (max_bytes is None):
        raise ConfigError("truncate: give either iterations= or max_bytes=")
    if max_bytes is not None:
        iterations = _fitting(parsed, max_bytes)
    assert iterations is not None
    if not is_whole(iterations) or not 1 <= iterations <= len(parsed.segments):
        raise ConfigError(
            f"iterations={iterations}: this file has 1..{len(parsed.segments)} to keep; give a "
            "whole number of these"
        )
    last = parsed.segments[iterations - 1]
    return bytes(data[: last.offset + last.size])


def _fitting(parsed: Parsed, max_bytes: int) -> int:
    if not is_number(max_bytes):
        raise ConfigError(f"max_bytes={max_bytes!r}: expected a number of bytes")
    ends = [segment.offset + segment.size for segment in parsed.segments]
    if max_bytes < ends[0]:
        raise ConfigError(
            f"max_bytes={max_bytes}: header and first iteration of this file take {ends[0]}"
        )
    return sum(end <= max_bytes for end in ends)
