"""The network's side of coding: pixels to codes and codes to pixels, tile by tile."""

from collections import deque
from collections.abc import Iterator
from functools import partial
from itertools import islice
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from rnncodec.bitstream import Codes, Header, Tile
from rnncodec.coding.adaptive import Rule
from rnncodec.coding.goals import Goal
from rnncodec.coding.refining import Effort
from rnncodec.coding.tiles import batches
from rnncodec.geometry import BLOCK, UNSENT
from rnncodec.images.pixels import from_uint8, pad_to, require_finite, to_uint8
from rnncodec.images.reading import Pixels
from rnncodec.machine.allocator import freed_memory_kept
from rnncodec.machine.devices import float32_convolutions
from rnncodec.network.autoencoder import Network
from rnncodec.network.unroll import AdaptiveSender, CodeSource, Sender, Step, iterate

BATCH_POSITIONS = 1 << 12
"""So many positions of small tiles are painted at once: the memory of one tile of 1024 pixels."""


class Analysis(NamedTuple):
    """What coding B images gave.

    Attributes:
        codes: uint8 (B, T, h, w, 32), UNSENT where a position has ended.
        scores: of the goal, (B, T), if there was one.
        errors: of the blocks, (B, T, h, w), if there was a rule.
    """

    codes: Codes
    scores: Tensor | None = None
    errors: NDArray[np.float32] | None = None

    def only(self, k: int) -> "Analysis":
        """That of image k alone."""
        here = slice(k, k + 1)
        scores = None if self.scores is None else self.scores[here]
        errors = None if self.errors is None else self.errors[here]
        return Analysis(self.codes[here], scores, errors)


class Transform:
    """A network in inference mode on a device.

    Args:
        network: the trained network; it is this object that becomes one for inference (``eval``,
            no gradients) and moves to the device. Give a copy of one that is being trained.
        device: where it runs.
    """

    def __init__(self, network: Network, device: torch.device) -> None:
        self.device = device
        self.network = network.eval().requires_grad_(False).to(device)

    @freed_memory_kept()
    @float32_convolutions()
    def analyse(
        self,
        pixels: NDArray[np.uint8],
        header: Header,
        goal: Goal | None = None,
        *,
        rule: Rule | None = None,
        ends: NDArray[np.int64] | None = None,
        effort: Effort | None = None,
    ) -> Analysis:
        """Code images of one size, in one go.

        Args:
            pixels: uint8 (B, H, W, 3).
            header: says how many iterations, and which tiles are coded by themselves.
            goal: stop when every image has reached it. With several tiles all iterations run,
                since the last tile is not known before the first is done.
            rule: measure the error of every block by it; then all iterations run, too.
            ends: how many iterations each position sends, (B, h, w); all of them if None.
            effort: search for better bits, each tile by itself.
        """
        tiles = list(header.tiles())
        batch, iterations, (h, w, _) = len(pixels), header.iterations, header.code_shape
        codes = np.empty((batch, iterations, *header.code_shape), np.uint8)
        errors = np.empty((batch, iterations, h, w), np.float32)
        measured = torch.zeros(batch, iterations, 2, dtype=torch.float64)
        for tile in tiles:
            reference = as_batch(pixels[:, *pixel_slices(tile)])
            ending = None if ends is None else ends[:, *tile.slices]
            for t, step in enumerate(self.steps(reference, iterations, ending, effort)):
                codes[:, t, *tile.slices] = to_bits(step.code)
                if rule is not None:
                    errors[:, t, *tile.slices] = self._errors(rule, reference, step)
                if goal is None:
                    continue
                x_hat = step.x_hat[..., : reference.shape[-2], : reference.shape[-1]].cpu()
                measured[:, t] += goal.measure(reference, x_hat)
                if len(tiles) == 1 and rule is None and goal.reached(measured[:, : t + 1]):
                    return Analysis(codes[:, : t + 1], goal.score(measured[:, : t + 1]))
        scores = None if goal is None else goal.score(measured)
        return Analysis(codes, scores, None if rule is None else errors)

    def _padded(self, reference: Tensor) -> Tensor:
        """Uint8 (B, 3, H, W) as the network takes it, in whole blocks."""
        return pad_to(from_uint8(reference.to(self.device)), BLOCK)

    def _errors(self, rule: Rule, reference: Tensor, step: Step) -> NDArray[np.float32]:
        x = self._padded(reference)
        return rule.errors(x, step.x_hat).cpu().numpy()

    @torch.inference_mode()
    def steps(
        self,
        reference: Tensor,
        iterations: int,
        ends: NDArray[np.int64] | None = None,
        effort: Effort | None = None,
    ) -> Iterator[Step]:
        """Run the network on uint8 (B, 3, H, W) of any size, padded to whole blocks.

        Whoever asks for the steps or their pictures does so under :func:`float32_convolutions`.
        """
        x = self._padded(reference)
        last = None if ends is None else torch.from_numpy(ends[:, None]).to(self.device)
        sender = Sender(self.network, x)
        source: CodeSource = sender if last is None else AdaptiveSender(sender, last)
        if effort is not None:
            size = reference.shape[-2], reference.shape[-1]
            codes = effort.codes(self.network, x, size, iterations, last)
            source = partial(found_code, codes)
        before: Step | None = None
        for step in iterate(self.network, source, iterations, adaptive=last is not None):
            if before is not None:  # its picture has been made, for the residual of this step
                require_finite(before.x_hat)
            before = step
            yield step


class Extension:
    """The codes of one image, of more iterations at each time of asking.

    An image in one piece goes on where it was. The states of many tiles would fill the memory, so
    those begin anew.

    Args:
        transform: the network.
        pixels: uint8 (H, W, 3).
        header: with the most iterations that will be asked for.
    """

    def __init__(self, transform: Transform, pixels: NDArray[np.uint8], header: Header) -> None:
        self.transform = transform
        self.pixels = pixels[None]
        self.header = header
        self._found: list[NDArray[np.uint8]] = []
        self._steps = transform.steps(as_batch(self.pixels), header.iterations)

    @freed_memory_kept()
    @float32_convolutions()
    def codes(self, iterations: int) -> Codes:
        """Of the first so many iterations: (T, h, w, 32)."""
        if self.header.tile_count > 1:
            header = self.header.with_iterations(iterations)
            codes: Codes = self.transform.analyse(self.pixels, header).codes[0]
            return codes
        for step in islice(self._steps, iterations - len(self._found)):
            self._found.append(to_bits(step.code)[0])
        return np.stack(self._found[:iterations])


class Painter:
    """Pixels out of codes: the decoder network, tile by tile, as far as codes have come.

    Args:
        transform: the network.
        header: of the file.
        iterations: how many will be painted in all; tiles are forgotten after the last.
    """

    def __init__(self, transform: Transform, header: Header, iterations: int) -> None:
        self.transform = transform
        self.header = header
        self.iterations = iterations
        self.done = 0
        self._running: dict[int, TilePainter] = {}

    @freed_memory_kept()
    @float32_convolutions()
    def paint(self, codes: Codes) -> Pixels:
        """Run the next n iterations from their codes (n, h, w, 32) -> uint8 (H, W, 3)."""
        picture = np.empty((self.header.height, self.header.width, 3), np.uint8)
        self.done += len(codes)
        for batch in batches(self.header, positions=BATCH_POSITIONS):
            painter = self._running.pop(batch.numbers[0], None) or TilePainter(
                self.transform, self.iterations, adaptive=self.header.adaptive
            )
            stacked = np.stack([codes[:, *tile.slices] for tile in batch.tiles], axis=1)
            for tile, pixels in zip(batch.tiles, painter.paint(stacked), strict=True):
                target = picture[pixel_slices(tile)]
                target[:] = pixels[: target.shape[0], : target.shape[1]]
            if self.done < self.iterations:
                self._running[batch.numbers[0]] = painter
        return picture


class TilePainter:
    """The decoder network on B tiles of one size; keeps its recurrent state between calls."""

    def __init__(self, transform: Transform, iterations: int, *, adaptive: bool) -> None:
        # The network takes codes from the queue, not from this object: in a circle of
        # references the states of all tiles would wait in memory for the garbage collector.
        self.waiting: deque[Codes] = deque()
        source = partial(next_code, self.waiting, transform.device)
        self.steps = iterate(transform.network, source, iterations, adaptive=adaptive)

    def paint(self, codes: Codes) -> Pixels:
        """Codes (n, B, h, w, 32) of the next iterations -> uint8 (B, 16 h, 16 w, 3)."""
        self.waiting.extend(codes)
        with torch.inference_mode():
            for _ in codes:
                step = next(self.steps)
            return to_uint8(step.x_hat).permute(0, 2, 3, 1).cpu().numpy()


def found_code(codes: Tensor, t: int, *_: object) -> Tensor:
    """That of iteration ``t`` (from 0) of codes (B, T, 32, h, w)."""
    return codes[:, t]


def next_code(waiting: deque[Codes], device: torch.device, *_: object) -> Tensor:
    """The next code as the decoder takes it: (B, 32, h, w) of -1, +1 and, if UNSENT, 0."""
    bits = torch.from_numpy(waiting.popleft().astype(np.float32)).to(device)
    return (bits * 2 - 1).masked_fill(bits == UNSENT, 0).permute(0, 3, 1, 2)


def pixel_slices(tile: Tile) -> tuple[slice, slice]:
    """What selects a tile in an array (H, W, ...) of pixels; slicing clips at the border."""
    return (
        slice(BLOCK * tile.y, BLOCK * (tile.y + tile.h)),
        slice(BLOCK * tile.x, BLOCK * (tile.x + tile.w)),
    )


def as_batch(pixels: NDArray[np.uint8]) -> Tensor:
    """Uint8 (B, H, W, 3) -> (B, 3, H, W)."""
    return torch.tensor(pixels).permute(0, 3, 1, 2)


def to_bits(code: Tensor) -> NDArray[np.uint8]:
    """Code (B, 32, h, w) of -1, +1 and 0 -> uint8 (B, h, w, 32) of 0, 1 and UNSENT."""
    bits = (code > 0).to(torch.uint8).masked_fill(code == 0, UNSENT)
    return bits.permute(0, 2, 3, 1).cpu().numpy()
