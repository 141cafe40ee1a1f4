"""Integers of one to four bytes, seven bits a byte, most significant group first."""

from rnncodec.errors import BitstreamError

MAX_BYTES = 4
LIMIT = 1 << (7 * MAX_BYTES)
"""One more than the largest value."""

_MORE = 0x80
_GROUP = 0x7F


def pack(value: int) -> bytes:
    """Return the shortest form of `value`, 0 <= value < LIMIT.

    >>> pack(5).hex(), pack(300).hex()
    ('05', '822c')
    """
    assert 0 <= value < LIMIT, value
    packed = [value & _GROUP]
    while value := value >> 7:
        packed.append(value & _GROUP | _MORE)
    return bytes(reversed(packed))


def unpack(data: bytes | bytearray, start: int, base: int = 0) -> tuple[int, int] | None:
    """Read the integer at `data[start]`: (value, index after it), or None if data ends inside it.

    `base` is the offset of `data[0]` in the file, for messages.

    Raises:
        BitstreamError: longer than four bytes, or not in its shortest form.
    """
    value = 0
    for index in range(start, min(start + MAX_BYTES, len(data))):
        byte = data[index]
        if index == start and byte == _MORE:
            raise BitstreamError("integer does not have its shortest form", base + start)
        value = value << 7 | byte & _GROUP
        if not byte & _MORE:
            return value, index + 1
    if len(data) - start >= MAX_BYTES:
        raise BitstreamError(f"integer is longer than {MAX_BYTES} bytes", base + start)
    return None
