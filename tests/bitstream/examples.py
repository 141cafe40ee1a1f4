"""Files byte by byte, for writer and reader alike: what they hold, and how they must look."""

from typing import NamedTuple

import numpy as np

from rnncodec.bitstream import Codes, ColourMode, Header, Iteration, SegmentMode


class Example(NamedTuple):
    """`stored`: mode and payload of each segment."""

    name: str
    header: Header
    iterations: list[Iteration]
    stored: list[tuple[SegmentMode, bytes]]
    data: bytes


def codes(packed: str, h: int, w: int) -> Codes:
    """Codes (h, w, 32) from their hexadecimal raw bits."""
    return np.unpackbits(np.frombuffer(bytes.fromhex(packed), np.uint8)).reshape(h, w, 32)


EXAMPLES = [
    Example(
        "one raw block",
        Header(width=1, height=1, iterations=1, fingerprint=b"\xaa" * 16),
        [Iteration(codes("01234567", 1, 1))],
        [(SegmentMode.RAW, bytes.fromhex("01234567"))],
        bytes.fromhex(
            "89524e43 01 00 00 01 00000001 00000001 0000 aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa ffe259a4"
            "10 704d303a 01234567"
        ),
    ),
    Example(
        "grey, with a profile, an empty payload, and one that is raw because coding gains nothing",
        Header(
            width=256,
            height=16,
            iterations=2,
            fingerprint=bytes(range(16)),
            colour=ColourMode.GREY,
            icc_profile=b"icc",
        ),
        [
            Iteration(codes("00000000" * 16, 1, 16), [b""]),
            Iteration(codes("ff00ff00" * 16, 1, 16), [bytes(64)]),
        ],
        [(SegmentMode.ENTROPY, b""), (SegmentMode.RAW, bytes.fromhex("ff00ff00" * 16))],
        bytes.fromhex(
            "89524e43 01 01 01 02 00000100 00000010 0000 000102030405060708090a0b0c0d0e0f f967c697"
            "00000003 94060b84 696363"
            "01 5587080a"
            "8200 e296f2a2" + "ff00ff00" * 16
        ),
    ),
    Example(
        "three tiles of 32 pixels, the last two smaller",
        Header(width=80, height=20, iterations=1, fingerprint=bytes(16), tile=32),
        [Iteration(codes("0f" * 40, 2, 5), [b"first", b"", b"third"])],
        [(SegmentMode.ENTROPY, b"\x05\x00firstthird")],
        bytes.fromhex(
            "89524e43 01 00 00 01 00000050 00000014 0002 00000000000000000000000000000000 b2fd01ce"
            "31 c0ecdb87 0500 6669727374 7468697264"
        ),
    ),
]
