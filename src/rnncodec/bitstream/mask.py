"""The order of a tile's positions, and which of them still send (FORMAT.md, "Order", "Mask")."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from rnncodec.bitstream.coder import ONE, Decoder

ROW_DELAY = 4
"""How many columns a row runs behind the row above it: one more than the reach of a 7x7 mask."""

NEIGHBOURS = 8

Sending = NDArray[np.bool_]
Answer = Callable[[NDArray[np.int64]], NDArray[np.uint8]]
"""P(flag = 1) in 1/65536 of the next flags -> the flags."""


def position_order(h: int, w: int) -> NDArray[np.int64]:
    """Return raster indices `y * w + x` of all positions, sorted by (x + 4y, y); shape (h*w,).

    Positions of equal x + 4y do not depend on one another, so a decoder may take them at once.

    >>> position_order(2, 6).tolist()
    [0, 1, 2, 3, 4, 6, 5, 7, 8, 9, 10, 11]
    """
    y, x = np.divmod(np.arange(h * w, dtype=np.int64), w)
    return np.lexsort((y, x + ROW_DELAY * y)).astype(np.int64)


class Mask:
    """The positions of a tile of h x w that have not ended, from one iteration to the next.

    Each of them has a flag in every iteration: 1 where it ends. Encoder and decoder go through
    the same steps with the same integers, and differ only in where the flags come from.

    >>> writer, reader = Mask(1, 3), Mask(1, 3)
    >>> flags, probabilities = writer.flags(np.array([True, False, True]))
    >>> flags.tolist(), probabilities.tolist()
    ([0, 1, 0], [32768, 16384, 32768])
    >>> from rnncodec.bitstream.coder import encode
    >>> reader.read(Decoder(encode(flags, probabilities))).tolist()
    [True, False, True]
    """

    def __init__(self, h: int, w: int) -> None:
        y, x = np.divmod(position_order(h, w), w)
        stride = w + 2  # a margin of positions that have not ended
        self._diagonals = x + ROW_DELAY * y
        self._places = (y + 1) * stride + x + 1
        row = np.array([-1, 0, 1])
        around = (row[:, None] * stride + row).ravel()
        self._around = around[around != 0]
        self._ended = np.zeros((h + 2) * stride, np.int64)
        self._counts = np.zeros((NEIGHBOURS + 1, 2), np.int64)

    def flags(self, sending: Sending) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
        """The flags of the next iteration, in coding order, and P(flag = 1) of each in 1/65536.

        Args:
            sending: (h * w,) in `position_order`: which positions go on.

        Raises:
            ValueError: another shape, or a position that has ended sends: the caller's error.
        """
        before = self._sending()
        if sending.shape != before.shape or (sending & ~before).any():
            raise ValueError("sending: a position that has ended sends nothing from then on")
        flags = (~sending[before]).astype(np.uint8)
        chances = [np.zeros(0, np.int64)]
        at = 0

        def known(probabilities: NDArray[np.int64]) -> NDArray[np.uint8]:
            nonlocal at
            chances.append(probabilities)
            at += len(probabilities)
            return flags[at - len(probabilities) : at]

        self._advance(known)
        return flags, np.concatenate(chances)

    def read(self, decoder: Decoder) -> Sending:
        """The next iteration's flags out of the tile's payload: as `sending` of `flags`.

        Raises:
            BitstreamError: the payload ends before they do.
        """
        self._advance(decoder.decode)
        return self._sending()

    def _sending(self) -> Sending:
        still: Sending = self._ended[self._places] == 0
        return still

    def _advance(self, answer: Answer) -> None:
        """Go through the flags of one iteration, those of a diagonal at a time."""
        before = self._sending()
        places, diagonals = self._places[before], self._diagonals[before]
        for group in np.split(places, np.flatnonzero(np.diff(diagonals)) + 1):
            if not group.size:
                return
            context = self._ended[group[:, None] + self._around].sum(axis=1)
            flags = answer(probability(self._counts[context]))
            seen = np.bincount(2 * context + flags, minlength=self._counts.size)
            self._counts += seen.reshape(self._counts.shape)
            self._ended[group] = flags


def probability(counts: NDArray[np.int64]) -> NDArray[np.int64]:
    """P(flag = 1) in 1/65536 after so many zeros and ones, (N, 2) -> (N,) in 1..65535.

    >>> probability(np.array([[0, 0], [1, 0], [10**7, 0], [0, 65536]])).tolist()
    [32768, 16384, 1, 65535]
    """
    share: NDArray[np.int64] = ONE * (2 * counts[:, 1] + 1) // (2 * counts.sum(axis=1) + 2)
    return share.clip(min=1)
