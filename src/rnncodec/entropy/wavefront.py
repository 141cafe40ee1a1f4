"""Decoding along diagonals: every position that is ready, of all iterations, in one batch.

Position (y, x) of iteration t is worked on at step `x + 4y + 16t`. All it reads lies in earlier
steps: the 7x7 window and the row above within its iteration, and a window of radius 3 of the
iteration before, which passes through the memory 5 and 10 steps after it was decoded.
"""

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from rnncodec.entropy import fixed_point as fp
from rnncodec.entropy import planes as pl
from rnncodec.entropy.integer import Field, IntegerModel, exact_arithmetic
from rnncodec.errors import DataError
from rnncodec.geometry import BITS, UNSENT

Decode = Callable[[int, NDArray[np.int32]], NDArray[np.uint8]]

_SIGNS = fp.signs(torch.tensor([0, 1, UNSENT])).numpy()
_READ_CODES = 1 + pl.ROW_STEPS  # steps until the neighbours within radius 1 are there


class Wavefront:
    """Codes of B images of h x w positions, decoded iteration by iteration or all at once.

    `advance(t, decode)` decodes the iterations up to t (exclusive). For each step and iteration
    it calls `decode(iteration, probabilities)` with P(bit = 1) in 1/65536 as int32 (B, n, 32),
    the n positions in the order of (x + 4y, y), and takes the bits back, 0 or 1, in that shape;
    2 where nothing was sent.
    Calls of one iteration come in coding order; those of several iterations are interleaved.
    """

    def __init__(
        self, model: IntegerModel, size: tuple[int, int], *, iterations: int, batch: int = 1
    ):
        if not 1 <= iterations <= model.iterations or min(*size, batch) < 1:
            raise DataError(
                f"cannot decode {batch} maps of {size[0]}x{size[1]} at iterations={iterations}: "
                f"expected 1..{model.iterations} iterations and no empty side"
            )
        self.done = 0
        self.iterations = iterations
        self._model = model
        self._diagonals = pl.Diagonals(*size)
        with exact_arithmetic():
            self._field = Field(model, self._diagonals, iterations, batch)

    def codes(self) -> Tensor:
        """The iterations decoded so far: uint8 (B, done, h, w, 32) of 0, 1 and 2."""
        known = self._field.codes.inside()[: self.done].transpose(0, 1)
        return (known > 0).to(torch.uint8).masked_fill_(known == 0, UNSENT)

    def advance(self, iterations: int, decode: Decode) -> None:
        """Decode on to `iterations` (exclusive); what `decode` raises ends the wavefront."""
        if not self.done < iterations <= self.iterations:
            raise DataError(
                f"cannot advance to iteration {iterations}: "
                f"expected {self.done + 1}..{self.iterations}"
            )
        model, first = self._model, self.done
        with exact_arithmetic():
            if first:
                rows = pl.Rows(self._diagonals.height, self._diagonals.width)
                model.remember(self._field, rows, first - 1, first)
            for step in range(self._diagonals.total_steps(iterations - first)):
                self._decode_step(step, iterations, decode)
                if not model.remembers:
                    continue
                # What was just decoded flows towards the iterations after it.
                at = self._diagonals.diagonal(step - _READ_CODES, first, iterations - 1)
                if at is not None:
                    model.read_codes(self._field, at)
                at = self._diagonals.diagonal(step - 2 * _READ_CODES, first, iterations - 1)
                if at is not None:
                    model.read_past(self._field, at)
                    model.update_memory(self._field, at)
        self.done = iterations

    def _decode_step(self, step: int, end: int, decode: Decode) -> None:
        at = self._diagonals.diagonal(step, self.done, end)
        if at is None:
            return
        view = self._field.codes.at(at)
        probabilities = self._model.predict(self._field, at).numpy()
        shape = (at.t1 - at.t0, view.shape[1], at.columns, BITS)
        probabilities = probabilities.reshape(shape)
        codes = np.zeros(shape, dtype=view.numpy().dtype)
        for i, t in enumerate(range(at.t0, at.t1)):
            low, high = self._diagonals.valid(at, t)
            if low < high:  # a map narrower than four has gaps between its diagonals
                bits = decode(t, probabilities[i, :, low:high])
                codes[i, :, low:high] = _SIGNS[bits]
        view.copy_(torch.from_numpy(codes).view(view.shape))
