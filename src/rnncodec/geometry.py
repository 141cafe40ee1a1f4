"""The code map's measures: what a position covers, and what it sends in an iteration."""

BLOCK = 16
"""Pixels per code position, in each direction (section 3: four strides of 2)."""

BITS = 32
"""Bits per position and iteration: 1/8 bit per pixel."""

UNSENT = 2
"""Stands beside the bits 0 and 1 where a position of an adaptive file sends none any more."""


def blocks(pixels: int) -> int:
    """How many 16-pixel blocks cover a side.

    Examples:
        >>> blocks(768), blocks(1), blocks(17)
        (48, 1, 2)
    """
    return -(-pixels // BLOCK)
