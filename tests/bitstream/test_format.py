"""FORMAT.md is part of the package, and its example is a file."""

import re
from importlib import resources

import numpy as np
from tests.bitstream.examples import codes

from rnncodec.bitstream import UNSENT, Header, Mask, SegmentMode, parse

FORMAT = (resources.files("rnncodec.bitstream") / "FORMAT.md").read_text(encoding="utf-8")


def example(section: str) -> bytes:
    """The file that a section shows."""
    rows = FORMAT.split(f"## {section}\n")[1].split("\n## ")[0]
    found = re.findall(r"^ {4}((?:[0-9a-f]{2} )*[0-9a-f]{2})\b", rows, re.MULTILINE)
    return bytes.fromhex("".join(found))


def test_the_example_decodes_as_it_says() -> None:
    header, (first, second), truncated = parse(example("Example"))
    assert not truncated
    assert header == Header(width=20, height=10, iterations=2, fingerprint=bytes(range(16)))
    assert (first.mode, second.mode) == (SegmentMode.ENTROPY, SegmentMode.RAW)
    expected = codes("f0" * 8, 1, 2)
    decoded = first.decoder().decode(np.where(expected.ravel(), 64000, 1000))
    first.verify(decoded.reshape(1, 2, 32))
    assert np.array_equal(decoded, expected.ravel())
    second.verify(codes("0123456789abcdef", 1, 2))


def test_the_adaptive_example_decodes_as_it_says() -> None:
    header, (first, second), truncated = parse(example("Adaptive example"))
    assert not truncated
    assert (header.code_shape, header.adaptive) == ((1, 3, 32), True)
    assert (first.mode, second.mode) == (SegmentMode.RAW, SegmentMode.MASKED_ENTROPY)
    first.verify(codes("0123456789abcdef00112233", 1, 3))
    decoder = second.decoder()
    assert Mask(1, 3).read(decoder).tolist() == [True, False, True]
    sent = codes("f0" * 8, 1, 2)
    decoded = decoder.decode(np.where(sent.ravel(), 64000, 1000)).reshape(2, 32)
    assert np.array_equal(decoded, sent[0])
    second.verify(np.stack([decoded[0], np.full(32, UNSENT, np.uint8), decoded[1]])[None])


def test_the_header_table_adds_up() -> None:
    table = FORMAT.split("## Header")[1].split("## Colour")[0]
    rows = re.findall(r"^ +(\d+) +(\d+)   \w", table, re.MULTILINE)
    at = 0
    for offset, size in rows:
        assert int(offset) == at
        at += int(size)
    assert at == len(Header(width=1, height=1, iterations=1, fingerprint=bytes(16)).pack())
