"""Where progressive files are cut: JPEGs after their scans, JPEG 2000 after its layers."""

from collections.abc import Iterator
from itertools import accumulate

from rnncodec.errors import DataError

END_OF_IMAGE = b"\xff\xd9"
"""The marker that ends a JPEG."""


def scan_ends(data: bytes) -> list[int]:
    """Where the scans of a JPEG end, in bytes from its start.

    Raises:
        DataError: it is damaged.
    """
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
    """Where the coded data from ``place`` on end: at a 0xff that is neither data nor a restart.

    Examples:
        >>> next_marker(bytes.fromhex("12ff00ffd034ffd9"), 0)
        6
    """
    while True:
        place = data.find(0xFF, place)
        if not 0 <= place < len(data) - 1:
            raise DataError(f"byte {len(data)}: expected the end of a scan of JPEG")
        if data[place + 1] != 0 and not 0xD0 <= data[place + 1] <= 0xD7:
            return place
        place += 2


def layer_ends(data: bytes, packets: list[int], layers: int) -> list[int]:
    """Where the quality layers of a JPEG 2000 codestream of one tile end, in bytes.

    Args:
        data: the codestream, layer by layer.
        packets: the length of each.
        layers: how many; all have as many packets.

    Raises:
        DataError: they do not fill it.
    """
    start = next(end for marker, end in segments(data) if marker == 0x93)
    each, rest = divmod(len(packets), layers)
    if rest or not each or start + sum(packets) + 2 != len(data):
        raise DataError(f"byte {start}: expected {layers} layers to fill the codestream")
    return list(accumulate(packets, initial=start))[each::each]


def packet_lengths(data: bytes) -> list[int]:
    """What the PLT segments of a codestream say: seven bits a byte, the highest goes on."""
    lengths, value, start = [], 0, 2
    for marker, end in segments(data):
        if marker == 0x58:
            for byte in data[start + 5 : end]:
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
