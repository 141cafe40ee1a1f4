"""FORMAT.md is part of the package, and its example is a file."""

import re
from importlib import resources

import numpy as np
from tests.bitstream.examples import codes

from rnncodec.bitstream import Header, SegmentMode, parse

FORMAT = (resources.files("rnncodec.bitstream") / "FORMAT.md").read_text(encoding="utf-8")


def test_the_example_decodes_as_it_says() -> None:
    example = FORMAT.split("## Example")[1]
    rows = re.findall(r"^ {4}((?:[0-9a-f]{2} )*[0-9a-f]{2})\b", example, re.MULTILINE)
    header, (first, second), truncated = parse(bytes.fromhex("".join(rows)))
    assert not truncated
    assert header == Header(width=20, height=10, iterations=2, fingerprint=bytes(range(16)))
    assert (first.mode, second.mode) == (SegmentMode.ENTROPY, SegmentMode.RAW)
    expected = codes("f0" * 8, 1, 2)
    decoded = first.decoder().decode(np.where(expected.ravel(), 64000, 1000))
    first.verify(decoded.reshape(1, 2, 32))
    assert np.array_equal(decoded, expected.ravel())
    second.verify(codes("0123456789abcdef", 1, 2))


def test_the_header_table_adds_up() -> None:
    table = FORMAT.split("## Header")[1].split("## Colour")[0]
    rows = re.findall(r"^ +(\d+) +(\d+)   \w", table, re.MULTILINE)
    at = 0
    for offset, size in rows:
        assert int(offset) == at
        at += int(size)
    assert at == len(Header(width=1, height=1, iterations=1, fingerprint=bytes(16)).pack())
