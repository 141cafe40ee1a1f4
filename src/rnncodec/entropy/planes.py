"""Zero-padded maps of activations, read and written along a lattice of positions without copying.

In both orders of coding, the positions worked on together form a lattice in (t, y, x): a whole row
of all iterations when the codes are known, or the diagonal `x + 4y = s - 16t` of each iteration
when they are being decoded. A lattice in a strided array is a strided view, so one set of network
functions serves both orders, and gathering a window is one copy.
"""

import math
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

ROW_STEPS = 4  # step(y, x) = x + 4y: the 7x7 window of a position lies in earlier steps
ITERATION_STEPS = 16  # iteration t reads t-1 within radius 3: 3 + 4*3 steps ahead, and one more


class Lattice(NamedTuple):
    """Positions `(t0 + i, y + i*dt[0] + j + k*dk[0], x + i*dt[1] + k*dk[1])`, i < t1 - t0."""

    t0: int
    t1: int
    y: int
    x: int
    rows: int  # j
    columns: int  # k
    dt: tuple[int, int] = (0, 0)
    dk: tuple[int, int] = (0, 1)


class Window(NamedTuple):
    """A rectangle of neighbours: offset of its first element, and its size."""

    dy: int = 0
    dx: int = 0
    height: int = 1
    width: int = 1


HERE = Window()
AROUND = Window(-1, -1, 3, 3)
THREE_ROWS_ABOVE = Window(-3, -3, 3, 7)
THREE_BEFORE = Window(0, -3, 1, 3)
ONE_BEFORE_AND_HERE = Window(0, -1, 1, 2)
ABOVE = Window(-1, 0, 1, 1)
THREE_ABOVE = Window(-1, -1, 1, 3)


class Margin(NamedTuple):
    """Zeros around a map: what windows and the lattice's overhang read outside the image."""

    top: int = 3
    bottom: int = 3
    left: int = 3
    right: int = 3


class Plane:
    """A map (slots, B, h, w, C) of numbers, one slot per iteration, in a margin of zeros."""

    def __init__(self, shape: tuple[int, int, int, int, int], margin: Margin, dtype: torch.dtype):
        slots, batch, height, width, self.channels = shape
        self.margin = margin
        self.batch = batch
        self.height = height + margin.top + margin.bottom
        self.width = width + margin.left + margin.right
        size = (slots, batch, self.height, self.width, self.channels)
        # NumPy's zeros take no memory before they are used: a file that is refused after its
        # first bits has then cost nothing, whatever size its header states.
        zeros = np.zeros(math.prod(size) * dtype.itemsize, np.uint8)
        self.data = torch.from_numpy(zeros).view(dtype).view(size)

    def inside(self) -> Tensor:
        """The map without its margin, a view (slots, B, h, w, C)."""
        top, bottom, left, right = self.margin
        return self.data[:, :, top : self.height - bottom, left : self.width - right]

    def at(self, lattice: Lattice, window: Window = HERE, slot: int = 0) -> Tensor:
        """A view (t, B, rows, columns, window height, window width, C); `slot` shifts t."""
        t0, t1, y, x, rows, columns, dt, dk = lattice
        C, row = self.channels, self.width
        image = self.height * row
        start = (t0 + slot) * self.batch * image
        start += (self.margin.top + y + window.dy) * row + self.margin.left + x + window.dx
        size = (t1 - t0, self.batch, rows, columns, window.height, window.width, C)
        per_t = (self.batch * image + dt[0] * row + dt[1]) * C
        stride = (per_t, image * C, row * C, (dk[0] * row + dk[1]) * C, row * C, C, 1)
        return self.data.as_strided(size, stride, start * C)


def gather(dtype: torch.dtype, *views: Tensor) -> Tensor:
    """Windows (t, B, rows, columns, H, W, C) side by side: (t, B*rows*columns, sum of H*W*C)."""
    t, batch, rows, columns = views[0].shape[:4]
    sizes = [view.shape[4] * view.shape[5] * view.shape[6] for view in views]
    out = torch.empty(t, batch, rows, columns, sum(sizes), dtype=dtype, device="cpu")
    start = 0
    for view, size in zip(views, sizes, strict=True):
        out[..., start : start + size].unflatten(-1, view.shape[4:]).copy_(view)
        start += size
    return out.view(t, batch * rows * columns, -1)


class Rows:
    """The order of coding known codes: a row of every iteration at a time."""

    margin = Margin()

    def __init__(self, height: int, width: int):
        self.height = height
        self.width = width

    def row(self, y: int, t0: int, t1: int) -> Lattice:
        """Row y of iterations t0..t1."""
        return Lattice(t0, t1, y, 0, 1, self.width)

    def everything(self, t: int) -> Lattice:
        """All positions of iteration t."""
        return Lattice(t, t + 1, 0, 0, self.height, self.width)


class Diagonals:
    """The order of decoding: `x + 4y = step - 16 (t - first)` for all iterations at once.

    A diagonal takes at most `min(h, ceil(w / 4))` positions. Its lattice has one position per
    row, or one per four columns, whichever is fewer, and overhangs the image in the other
    direction; what is computed there is multiplied by zero.
    """

    def __init__(self, height: int, width: int):
        self.height = height
        self.width = width
        self.steps = width + ROW_STEPS * (height - 1)
        self.across = -(-width // ROW_STEPS)
        self.by_row = height <= self.across
        self.size = min(height, self.across)
        over = 3 + (ROW_STEPS * (height - 1) if self.by_row else self.across)
        self.margin = Margin(3, 3, over, over) if self.by_row else Margin(over, over, 3, 3 + 3)

    def total_steps(self, iterations: int) -> int:
        """Steps until `iterations` of them are through."""
        return self.steps + ITERATION_STEPS * (iterations - 1)

    def diagonal(self, step: int, t0: int, t1: int) -> Lattice | None:
        """The diagonals of iterations t0..t1 (t0 starting at step 0), of those that have one."""
        first = t0 + max(0, -(-(step - self.steps + 1) // ITERATION_STEPS))
        last = min(t1, t0 + step // ITERATION_STEPS + 1)
        if first >= last:
            return None
        step -= ITERATION_STEPS * (first - t0)
        shape = (1, self.size)
        if self.by_row:
            return Lattice(first, last, 0, step, *shape, (0, -ITERATION_STEPS), (1, -ROW_STEPS))
        y, x = divmod(step, ROW_STEPS)
        y, x = y - (self.across - 1), x + ROW_STEPS * (self.across - 1)
        back = (-ITERATION_STEPS // ROW_STEPS, 0)
        return Lattice(first, last, y, x, *shape, back, (1, -ROW_STEPS))

    def valid(self, lattice: Lattice, t: int) -> tuple[int, int]:
        """The range of the lattice's columns that lie in the image, of iteration t: y ascends."""
        y = lattice.y + (t - lattice.t0) * lattice.dt[0]
        x = lattice.x + (t - lattice.t0) * lattice.dt[1]
        step = x + ROW_STEPS * y
        low = max(0, -(-(step - self.width + 1) // ROW_STEPS))
        high = min(self.height - 1, step // ROW_STEPS)
        return low - y, high + 1 - y
