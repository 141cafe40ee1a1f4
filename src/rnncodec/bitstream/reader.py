"""From bytes to a header and segments: incremental, without I/O, trusting nothing."""

import math
from dataclasses import dataclass
from typing import NamedTuple

from PIL import Image

from rnncodec.bitstream.header import Header, required_size, unpack
from rnncodec.bitstream.segment import CRC_SIZE, Segment, unpack_tag, unpack_varint
from rnncodec.errors import BitstreamError, ConfigError, DataError
from rnncodec.validation import is_number


@dataclass(frozen=True)
class NeedData:
    """No event yet: at least `missing` more bytes are needed."""

    missing: int


@dataclass(frozen=True)
class End:
    """The file is over after `iterations` whole segments, which may be fewer than it states."""

    iterations: int
    truncated: bool  # it stopped inside the next one


Event = Header | Segment | NeedData | End


class Reader:
    """The structure of a file, as its bytes arrive.

    Events come in the order Header, Segment (one or more), End; NeedData between them. An error
    is final: the reader raises it again. `max_pixels` bounds width x height; None is
    Pillow's own limit, `PIL.Image.MAX_IMAGE_PIXELS`, and `math.inf` none. What is no number is a
    ConfigError.

    >>> reader = Reader()
    >>> reader.feed(bytes.fromhex("89524e43"))
    >>> reader.next_event()
    NeedData(missing=34)
    """

    def __init__(self, *, max_pixels: float | None = None) -> None:
        if max_pixels is None:
            most = Image.MAX_IMAGE_PIXELS
            max_pixels = math.inf if most is None else most
        if not is_number(max_pixels):
            raise ConfigError(f"max_pixels={max_pixels!r}: expected a number of pixels")
        self._max_pixels = max_pixels
        self._buffer = bytearray()
        self._offset = 0  # of the buffer's first byte, in the file
        self._closed = False
        self._header: Header | None = None
        self._iterations = 0
        self._checksum = 0

    def feed(self, data: bytes) -> None:
        """Take the next bytes of the file, any number of them; DataError if they are none."""
        assert not self._closed, "feed() after close()"
        if not isinstance(data, bytes | bytearray | memoryview):
            raise DataError(
                f"{type(data).__name__}: expected the bytes of a .rnc file; Path.read_bytes() "
                "reads those of one"
            )
        self._buffer += data

    def close(self) -> None:
        """Say that no more bytes will come."""
        self._closed = True

    def next_event(self) -> Event:
        """Return what the bytes so far allow to say.

        Raises:
            BitstreamError: this is no file of this format, or a damaged one; or, after
                `close()`, one that ends before its first iteration is complete.
        """
        if self._header is None:
            return self._next_header()
        if self._iterations < self._header.iterations:
            return self._next_segment(self._header)
        if self._buffer:
            raise BitstreamError(
                f"bytes after iteration {self._iterations}, the last one of this file",
                self._offset,
            )
        return End(self._iterations, truncated=False)

    def _next_header(self) -> Event:
        size = required_size(self._buffer)
        if len(self._buffer) < size:
            if self._closed:
                raise BitstreamError(
                    f"the file ends inside its header, which has {size} bytes or more",
                    len(self._buffer),
                    kind="incomplete",
                )
            return NeedData(size - len(self._buffer))
        header = unpack(bytes(self._buffer[:size]))
        if header.width * header.height > self._max_pixels:
            raise BitstreamError(
                f"{header.width}x{header.height} pixels are more than max_pixels="
                f"{self._max_pixels} (--max-pixels); raise that limit if you trust this file",
                8,
            )
        self._header, self._checksum = header, header.checksum
        del self._buffer[:size]
        self._offset = size
        return header

    def cut_segment(self) -> Segment | None:
        """Return the next segment with what has arrived of its payload; None if nothing has.

        No checksum vouches for it.
        """
        if self._header is None or self._iterations >= self._header.iterations:
            return None
        segment = self._segment(self._header)
        return segment if segment is not None and segment.payload else None

    def _segment(self, header: Header) -> Segment | None:
        found = unpack_varint(self._buffer, 0, self._offset)
        if found is None:
            return None
        tag, after = found
        mode, length = unpack_tag(tag, header, self._iterations + 1, self._offset)
        start = after + CRC_SIZE
        payload = bytes(self._buffer[start : start + length])
        return Segment(
            header=header,
            iteration=self._iterations + 1,
            offset=self._offset,
            mode=mode,
            checksum=int.from_bytes(self._buffer[after:start], "big"),
            previous=self._checksum,
            payload=payload,
            missing=length - len(payload) + max(0, start - len(self._buffer)),
        )

    def _next_segment(self, header: Header) -> Event:
        segment = self._segment(header)
        if segment is None:
            return self._wait(1)
        if segment.missing:
            return self._wait(segment.missing)
        self._iterations, self._checksum = segment.iteration, segment.checksum
        del self._buffer[: segment.size]
        self._offset += segment.size
        return segment

    def _wait(self, missing: int) -> Event:
        if not self._closed:
            return NeedData(missing)
        if not self._iterations:
            raise BitstreamError(
                "the file ends before its first iteration is complete: there is no image in it",
                self._offset + len(self._buffer),
                kind="incomplete",
            )
        return End(self._iterations, truncated=bool(self._buffer))


class Parsed(NamedTuple):
    """A whole file taken apart; `truncated` as in `End`."""

    header: Header
    segments: list[Segment]
    truncated: bool


def parse(data: bytes, *, max_pixels: float | None = None) -> Parsed:
    """Take a file apart, as a `Reader` does; its codes are not decoded, hence not verified."""
    reader = Reader(max_pixels=max_pixels)
    reader.feed(data)
    reader.close()
    header = reader.next_event()
    assert isinstance(header, Header)
    segments = []
    while isinstance(event := reader.next_event(), Segment):
        segments.append(event)
    assert isinstance(event, End)
    return Parsed(header, segments, event.truncated)


def cut_segment(data: bytes) -> Segment | None:
    """Return the segment that a file ends within; see `Reader.cut_segment`, and `parse`."""
    reader = Reader(max_pixels=math.inf)
    reader.feed(data)
    reader.close()
    while not isinstance(reader.next_event(), End):
        pass
    return reader.cut_segment()
