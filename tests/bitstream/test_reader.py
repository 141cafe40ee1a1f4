import math

import pytest
from PIL import Image
from tests.bitstream.examples import EXAMPLES, Example
from tests.bitstream.forge import Forged, ForgedSegment

from rnncodec.bitstream import End, Event, Header, NeedData, Reader, Segment, parse
from rnncodec.errors import BitstreamError

ICC = EXAMPLES[1]
BLOCK = ForgedSegment(0, b"abcd", b"abcd")


def events(pieces: list[bytes]) -> list[Event]:
    """All events but NeedData of a file that arrives in `pieces`."""
    reader, seen = Reader(), []
    for piece in [*pieces, None]:
        if piece is None:
            reader.close()
        else:
            reader.feed(piece)
        while not isinstance(event := reader.next_event(), NeedData):
            seen.append(event)
            if isinstance(event, End):
                return seen
    raise AssertionError("a closed reader asked for more")


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.name)
def test_exact_bytes(example: Example) -> None:
    header, segments, truncated = parse(example.data)
    assert (header, truncated) == (example.header, False)
    assert [(segment.mode, segment.payload) for segment in segments] == example.stored
    for segment, iteration in zip(segments, example.iterations, strict=True):
        segment.verify(iteration.codes)


@pytest.mark.parametrize("size", [1, 2, 7, 38, 39, 1000])
@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.name)
def test_the_pieces_in_which_a_file_arrives_do_not_matter(example: Example, size: int) -> None:
    data = example.data
    pieces = [data[at : at + size] for at in range(0, len(data), size)]
    assert events(pieces) == events([data])


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.name)
def test_what_is_missing_brings_the_reader_on(example: Example) -> None:
    reader, at, rounds = Reader(), 0, 0
    while not isinstance(event := reader.next_event(), End):
        if isinstance(event, NeedData):
            assert event.missing > 0
            reader.feed(example.data[at : at + event.missing])
            at, rounds = at + event.missing, rounds + 1
    assert at == len(example.data)
    assert rounds <= 3 + 4 * len(example.stored)


def test_segments_lie_one_behind_the_other() -> None:
    header, segments, _ = parse(ICC.data)
    at, checksum = len(header.pack()), header.checksum
    for number, segment in enumerate(segments, 1):
        assert (segment.iteration, segment.offset, segment.previous) == (number, at, checksum)
        at, checksum = at + segment.size, segment.checksum
    assert at == len(ICC.data)


def test_every_length_of_a_cut_file() -> None:
    ends = [segment.offset + segment.size for segment in parse(ICC.data).segments]
    for size in range(ends[0], len(ICC.data) + 1):
        _, segments, truncated = parse(ICC.data[:size])
        assert len(segments) == sum(end <= size for end in ends)
        assert truncated == (size not in ends)


@pytest.mark.parametrize(
    ("size", "message"),
    [
        (0, "byte 0: the file ends inside its header"),
        (37, "byte 37: the file ends inside its header, which has 38 bytes"),
        (38, "byte 38: the file ends inside its header, which has 46 bytes or more"),
        (48, "byte 48: the file ends inside its header, which has 49 bytes"),
        (49, "byte 49: the file ends before its first iteration is complete"),
        (53, "byte 53: the file ends before its first iteration is complete"),
    ],
)
def test_a_file_that_was_cut_too_early(size: int, message: str) -> None:
    with pytest.raises(BitstreamError, match=message):
        parse(ICC.data[:size])


def test_no_error_before_the_file_is_known_to_be_over() -> None:
    reader = Reader()
    reader.feed(ICC.data[:53])
    assert isinstance(reader.next_event(), Header)
    assert reader.next_event() == NeedData(1)
    reader.feed(ICC.data[53:])
    assert isinstance(reader.next_event(), Segment)


def test_bytes_after_the_end() -> None:
    with pytest.raises(BitstreamError, match="byte 124: bytes after iteration 2, the last one"):
        parse(ICC.data + b"\0")


@pytest.mark.parametrize(
    ("segment", "message"),
    [
        (ForgedSegment(2, b"abcd", b""), "byte 38: segment mode 2: iteration 1 .* has 0 or 1"),
        (ForgedSegment(0, b"abc", b""), "byte 38: raw segment of 3 bytes: this image has 4"),
        (ForgedSegment(1, b"abcd", b""), "byte 38: entropy-coded segment of 4 bytes: .* the 4"),
        (ForgedSegment(1, b"", b"", (1 << 26) - 1), "byte 38: .*of 67108863 bytes"),
        (ForgedSegment(1, b"", b"", 1 << 26), "byte 38: integer is longer than 4 bytes"),
    ],
)
def test_no_segment_is_awaited_that_cannot_be_right(segment: ForgedSegment, message: str) -> None:
    reader = Reader()
    reader.feed(Forged(width=16, height=16, iterations=1, segments=[segment]).pack())
    assert isinstance(reader.next_event(), Header)
    with pytest.raises(BitstreamError, match=message):
        reader.next_event()


def test_errors_stay() -> None:
    reader = Reader()
    reader.feed(b"GIF89a")
    for _ in range(2):
        with pytest.raises(BitstreamError, match="not an rnc file"):
            reader.next_event()


def test_max_pixels_is_pillows_own(monkeypatch: pytest.MonkeyPatch) -> None:
    data = Forged(width=100, height=100, iterations=1).pack()
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 9999)
    with pytest.raises(BitstreamError, match="100x100 pixels are more than max_pixels=9999"):
        parse(data)


@pytest.mark.parametrize("limit", [16, math.inf])
def test_max_pixels_may_be_chosen(limit: float, monkeypatch: pytest.MonkeyPatch) -> None:
    data = Forged(width=4, height=4, iterations=1, segments=[BLOCK]).pack()
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1)
    assert parse(data, max_pixels=limit).header.width == 4


def test_without_a_limit_in_pillow_there_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    data = Forged(width=60000, height=60000, iterations=1, blocks=64).pack()
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", None)
    reader = Reader()
    reader.feed(data)
    assert isinstance(reader.next_event(), Header)
