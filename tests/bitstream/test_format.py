"""FORMAT.md is part of the package, and its example is a file."""

import re
import zlib
from importlib import resources

import numpy as np
import pytest
from scripts import format_example
from tests.bitstream.examples import codes

from rnncodec.bitstream import UNSENT, Header, Mask, SegmentMode, encode, parse
from rnncodec.entropy import fixed_point as fp

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


def encoded(
    bits: np.ndarray, probabilities: np.ndarray, carries: list[int] | None = None
) -> bytes:
    """What the page says of the encoder, word by word; `carries`: where they are noted."""
    lower, span, words = 0, 2**64 - 1, []

    def carry() -> None:
        if carries is not None:
            carries.append(len(words))
        at = len(words) - 1
        words[at] += 1
        while words[at] == 2**32:
            words[at] = 0
            at -= 1
            words[at] += 1

    for bit, p in zip(bits.tolist(), probabilities.tolist(), strict=True):
        zeros = (65536 - p) * 16777214 // 65536 + 1
        scale = span // 2**24
        if bit == 0:
            span = scale * zeros
        else:
            span = scale * (2**24 - zeros)
            lower += scale * zeros
            if lower >= 2**64:
                lower -= 2**64
                carry()
        if span < 2**32:
            words.append(lower >> 32)
            lower, span = (lower << 32) % 2**64, span << 32
    tail = b""
    if lower + 2**32 - 1 >= 2**64:
        carry()
    else:
        upper = min(lower + span, 2**64)
        for n in range(5):
            step = 2 ** (64 - 8 * n)
            value = -(-lower // step) * step
            if value < upper:
                tail = value.to_bytes(9, "big")[1 : n + 1]
                break
    return b"".join(word.to_bytes(4, "big") for word in words) + tail


@pytest.mark.parametrize("seed", range(8))
def test_the_encoder_of_the_page_writes_the_same_bytes(seed: int) -> None:
    rng = np.random.default_rng(seed)
    for size in range(120):
        extreme = rng.choice([1, 2, 300, 65534, 65535], size)
        p = np.where(rng.random(size) < 0.1 * seed, extreme, rng.integers(1, 65536, size))
        likely = rng.random(size) < p / 65536
        bits = np.where(rng.random(size) < 0.2, rng.integers(0, 2, size), likely)
        assert encoded(bits, p) == encode(bits.astype(np.uint8), p)


def test_the_encoder_of_the_page_carries_as_ours_does() -> None:
    """Bits that keep the interval just below a carry for many words, and then cross it or not."""
    carries: list[int] = []
    for length in range(1, 200):
        # 0 1 1 1 1 ...: lower approaches the middle from below
        bits = np.array([0] + [1] * length, np.uint8)
        for last in ([0], [1], [1, 1, 0, 1], [0, 0, 0]):
            given = np.concatenate([bits, np.array(last, np.uint8)])
            p = np.full(len(given), 32768)
            assert encoded(given, p, carries) == encode(given, p)
    assert carries


def test_the_tables_have_the_sums_that_the_page_states() -> None:
    kinds = (fp.tanh_table, "i1"), (fp.gate_table, ">u2"), (fp.probability_table, ">u2")
    for table, kind in kinds:
        values = table().values.numpy().astype(kind)
        assert f"{zlib.crc32(values.tobytes()):08x}" in FORMAT


def test_the_worked_example_is_what_the_codec_computes() -> None:
    """`python scripts/format_example.py --write` writes it anew."""
    assert FORMAT.endswith("\n" + format_example.example())
