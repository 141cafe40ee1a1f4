"""The network's side of coding: pixels to codes and codes to pixels, tile by tile.

A quality is that of the whole picture, so all tiles run iteration by iteration until it is
reached, and their states wait in memory meanwhile; so do they for a rate. Those of the last tiles
of a very large image, beyond ``STATES`` bytes, do not: such tiles begin anew.
"""

from collections import deque
from collections.abc import Iterator, Sequence
from functools import partial
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from rnncodec.bitstream import Codes, Header, Tile
from rnncodec.coding.adaptive import StopRule
from rnncodec.coding.entropy_coding import Batch, batches
from rnncodec.coding.latent_optimization import Effort
from rnncodec.coding.quality_target import QualityTarget
from rnncodec.errors import ConfigError
from rnncodec.geometry import BLOCK, UNSENT
from rnncodec.images.pixels import from_uint8, pad_to, require_finite, to_uint8
from rnncodec.images.reading import Pixels
from rnncodec.machine.allocator import freed_memory_kept
from rnncodec.machine.devices import float32_convolutions
from rnncodec.network.autoencoder import Network
from rnncodec.network.unroll import CodeSource, DecoderLoop, EncoderLoop, Iteration, iterate
from rnncodec.validation import is_whole

BATCH_POSITIONS = 1 << 12
"""Positions of small tiles synthesized at once: the memory of one tile of 1024 pixels."""
TOGETHER = 1 << 9
"""Positions of small pictures that are decoded at once: 16 of 64x64 take 0.7 of the time that they
take one by one, pictures of 256x256 rather more than less."""
STATES = 3 << 30
"""Bytes that the states of tiles may take while others run: of 16 Mpixel in the compact model."""
ANEW = (4, 8)
"""After so many iterations tiles whose states are not kept stop for a look at their picture."""


class Analysis(NamedTuple):
    """What coding B images gave.

    Attributes:
        codes: uint8 (B, T, h, w, 32), UNSENT where a block has stopped.
        scores: by the quality target, (B, T), if there was one.
        errors: of the blocks, (B, T, h, w), if there was a rule.
        around: of each image, how it is decoded without and with the iteration that first reaches
            the target, else the last: uint8 (1, 3, H, W); None without the first iteration.
        mse: mean squared error in levels of 255 after each iteration but the last, (B, T - 1); of
            iterations that had to be decoded, else infinite.
    """

    codes: Codes
    scores: Tensor | None = None
    errors: NDArray[np.float32] | None = None
    around: Sequence[tuple[Tensor | None, Tensor]] = ()
    mse: NDArray[np.float64] | None = None


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
        goal: QualityTarget | None = None,
        *,
        rule: StopRule | None = None,
        ends: NDArray[np.int64] | None = None,
        effort: Effort | None = None,
    ) -> Analysis:
        """Code images of one size, in one go.

        Args:
            pixels: uint8 (B, H, W, 3).
            header: says how many iterations, and which tiles are coded by themselves.
            goal: stop when every image, put together from its tiles, has reached it.
            rule: measure the error of every block by it; then all iterations run, too.
            ends: how many iterations each block is active in, (B, h, w); all of them if None.
            effort: search for better bits, each tile by itself.

        Raises:
            DataError: images too small for the goal.
        """
        if goal is not None:
            goal.check_size(*pixels.shape[1:3])
        tiles = TileRuns(self, pixels, header, ends=ends, effort=effort)
        batch, iterations, (h, w, _) = len(pixels), header.iterations, header.code_shape
        codes = np.empty((batch, iterations, *header.code_shape), np.uint8)
        errors = np.empty((batch, iterations if rule else 0, h, w), np.float32)
        scores = torch.empty(batch, 0, dtype=torch.float64)
        squares = np.zeros((batch, iterations - 1))
        around: dict[int, tuple[Tensor | None, Tensor]] = {}
        before: Tensor | None = None
        stops = tiles.stops(goal, all_iterations=rule is not None or effort is not None)
        for first, end in pairwise([0, *stops]):
            pictures = [torch.empty_like(tiles.reference) for _ in range(first, end) if goal]
            for tile, t, step in tiles.run(first, end):
                codes[:, t, *tile.slices] = to_bits(step.code)
                if goal is None and step.before is not None:
                    x = tiles.pixels(tile)
                    y = step.before[..., : x.shape[-2], : x.shape[-1]].clamp(-0.5, 0.5).cpu()
                    error = (y - from_uint8(x)).square_().sum(dim=(1, 2, 3), dtype=torch.float64)
                    squares[:, t - 1] += 255**2 * error.numpy()
                if rule is not None:
                    x = self.padded(tiles.pixels(tile))
                    errors[:, t, *tile.slices] = rule.errors(x, step.x_hat).cpu().numpy()
                if goal is not None and t >= first:
                    target = pictures[t - first][..., *pixel_slices(tile)]
                    height, width = target.shape[-2:]
                    target[:] = to_uint8(step.x_hat[..., :height, :width].cpu())
            if goal is not None:
                for picture in pictures:
                    for k in torch.nonzero((scores < goal.target).all(dim=1)).flatten().tolist():
                        around[k] = (None if before is None else before[k, None], picture[k, None])
                    score = goal.score(tiles.reference, picture)
                    scores, before = torch.cat([scores, score[:, None]], dim=1), picture
                if rule is None and goal.reached(scores):
                    return Analysis(
                        codes[:, :end], scores, around=[around[k] for k in range(batch)]
                    )
        return Analysis(
            codes,
            None if goal is None else scores,
            None if rule is None else errors,
            [around[k] for k in sorted(around)],
            squares / tiles.reference[0].numel() if goal is None else None,
        )

    def padded(self, reference: Tensor) -> Tensor:
        """Uint8 (B, 3, H, W) as the network takes it, in whole blocks."""
        return pad_to(from_uint8(reference.to(self.device)), BLOCK)

    @torch.inference_mode()
    def state_bytes(self) -> int:
        """Memory that encoder and decoder need between two iterations, for each position."""
        x = torch.zeros(1, 3, BLOCK, BLOCK, device=self.device)
        encoder, decoder = EncoderLoop(self.network, x), DecoderLoop(self.network, adaptive=False)
        gain = self.network.recon.gain(0, None)
        x_hat = decoder.run(0, encoder(0, None, gain), None, gain)
        states = [*(encoder.states or []), *(decoder.states or []), (x, x_hat)]
        return sum(tensor.nbytes for state in states for tensor in state)

    @torch.inference_mode()
    def steps(
        self,
        reference: Tensor,
        iterations: int,
        ends: NDArray[np.int64] | None = None,
        effort: Effort | None = None,
    ) -> Iterator[Iteration]:
        """Run the network on uint8 (B, 3, H, W) of any size, padded to whole blocks.

        Whoever asks for the steps or their pictures does so under :func:`float32_convolutions`.
        """
        x = self.padded(reference)
        last = None if ends is None else torch.from_numpy(ends[:, None]).to(self.device)
        source: CodeSource = EncoderLoop(self.network, x, ends=last)
        if effort is not None:
            size = reference.shape[-2], reference.shape[-1]
            codes = effort.codes(self.network, x, size, iterations, last)
            source = lambda t, *_: codes[:, t]  # noqa: E731
        before: Iteration | None = None
        for step in iterate(self.network, source, iterations, adaptive=last is not None):
            if before is not None:  # its picture has been made, for the residual of this step
                require_finite(before.x_hat)
            before = step
            yield step


class TileRuns:
    """The network on the tiles of B images of one size, some iterations at a time.

    Tiles resume where they were. Where the states of all of them would take too much memory, the
    last ones begin anew each time.

    Args:
        transform: the network.
        pixels: uint8 (B, H, W, 3).
        header: says which tiles there are, and how many iterations at most.
        ends, effort: as of :meth:`Transform.analyse`.
    """

    def __init__(
        self,
        transform: Transform,
        pixels: NDArray[np.uint8],
        header: Header,
        *,
        ends: NDArray[np.int64] | None = None,
        effort: Effort | None = None,
    ) -> None:
        self.transform = transform
        self.reference = torch.tensor(pixels).permute(0, 3, 1, 2)
        self.tiles = list(header.tiles())
        self.iterations = header.iterations
        self.ends = ends
        self.effort = effort
        self._running: dict[Tile, Iterator[Iteration]] = {}
        self._resumable = 1 if len(self.tiles) == 1 else None

    def pixels(self, tile: Tile) -> Tensor:
        """Those of a tile, uint8 (B, 3, H, W)."""
        return self.reference[..., *pixel_slices(tile)]

    def run(self, first: int, end: int) -> Iterator[tuple[Tile, int, Iteration]]:
        """Iterations ``first`` to ``end`` (exclusive) of one tile after the other.

        Those that begin anew yield the iterations before, too: no device has to repeat itself to
        the bit. Whoever asks does so under :func:`float32_convolutions`.
        """
        for number, tile in enumerate(self.tiles):
            steps = self._running.pop(tile, None)
            start = 0 if steps is None else first
            if steps is None:
                ends = None if self.ends is None else self.ends[:, *tile.slices]
                steps = self.transform.steps(self.pixels(tile), self.iterations, ends, self.effort)
            for t in range(start, end):
                yield tile, t, next(steps)
            if end < self.iterations and number < self.resumable:
                self._running[tile] = steps

    def stops(self, goal: QualityTarget | None, *, all_iterations: bool) -> Sequence[int]:
        """After which iterations to look whether a goal is reached, the last one included.

        After each, if all tiles resume where they were, or after ever more of them, since the
        pictures of all iterations in between are kept.
        """
        if goal is not None and self.resumable == len(self.tiles):
            return range(1, self.iterations + 1)
        if goal is None or all_iterations:
            return [self.iterations]
        return [stop for stop in ANEW if stop < self.iterations] + [self.iterations]

    @property
    def resumable(self) -> int:
        """How many tiles resume where they were: at least one."""
        if self._resumable is None:
            room = STATES // (len(self.reference) * self.transform.state_bytes())
            sizes = np.cumsum([tile.h * tile.w for tile in self.tiles])
            self._resumable = max(1, int((sizes <= room).sum()))
        return self._resumable


class Synthesizer:
    """Pixels out of codes: the decoder network, tile by tile, as far as codes have come.

    Args:
        transform: the network.
        header: of the file.
        iterations: how many will be synthesized in all; tiles are forgotten after the last.
        region: left, upper, right and lower border in pixels of what is wanted; only the tiles
            that it touches are synthesized.

    Raises:
        ConfigError: a region that is empty, or not within the picture.
    """

    def __init__(
        self,
        transform: Transform,
        header: Header,
        iterations: int,
        region: Sequence[int] | None = None,
    ) -> None:
        whole = (0, 0, header.width, header.height)
        box = whole if region is None else tuple(region)
        if len(box) != 4 or not all(map(is_whole, box)):
            raise ConfigError(f"region={region!r}: expected left, upper, right, lower, in pixels")
        left, upper, right, lower = box
        if not (0 <= left < right <= header.width and 0 <= upper < lower <= header.height):
            raise ConfigError(
                f"region={','.join(map(str, box))}: expected left < right <= {header.width} and "
                f"upper < lower <= {header.height}, from 0"
            )
        self.region = slice(upper, lower), slice(left, right)
        self.batches = [
            Batch(*zip(*touched, strict=True))
            for batch in batches(header, positions=BATCH_POSITIONS)
            if (
                touched := [
                    (number, tile)
                    for number, tile in zip(batch.numbers, batch.tiles, strict=True)
                    if all(map(overlap, pixel_slices(tile), self.region))
                ]
            )
        ]
        self.transform = transform
        self.header = header
        self.iterations = iterations
        self.done = 0
        self._running: dict[int, TileSynthesizer] = {}

    @freed_memory_kept()
    @float32_convolutions()
    def synthesize(self, codes: Codes) -> Pixels:
        """Run the next n iterations from their codes (n, h, w, 32) -> uint8 (H, W, 3).

        H and W are those of the region, if there is one.
        """
        picture = np.empty((self.header.height, self.header.width, 3), np.uint8)
        self.done += len(codes)
        for batch in self.batches:
            synthesizer = self._running.pop(batch.numbers[0], None) or TileSynthesizer(
                self.transform, self.iterations, adaptive=self.header.adaptive
            )
            stacked = np.stack([codes[:, *tile.slices] for tile in batch.tiles], axis=1)
            for tile, pixels in zip(batch.tiles, synthesizer.synthesize(stacked), strict=True):
                target = picture[pixel_slices(tile)]
                target[:] = pixels[: target.shape[0], : target.shape[1]]
            if self.done < self.iterations:
                self._running[batch.numbers[0]] = synthesizer
        return picture[self.region]


@freed_memory_kept()
@float32_convolutions()
def synthesize_all(
    transform: Transform, headers: Sequence[Header], codes: Sequence[Codes]
) -> Iterator[Pixels]:
    """The pictures, uint8 (H, W, 3), of files of one size and as many iterations.

    Args:
        transform: the network.
        headers: of the files, which have the same size and tiles.
        codes: of each, (T, h, w, 32).
    """
    count = max(1, TOGETHER // codes[0][0, ..., 0].size)
    if count == 1 or headers[0].tile_count > 1:
        for header, each in zip(headers, codes, strict=True):
            yield Synthesizer(transform, header, len(each)).synthesize(each)
        return
    # A block that sends in every iteration is the same in an adaptive file and in a plain one.
    adaptive = any(header.adaptive for header in headers)
    height, width = headers[0].height, headers[0].width
    for at in range(0, len(codes), count):
        batch = np.stack(codes[at : at + count], axis=1)
        synthesizer = TileSynthesizer(transform, len(batch), adaptive=adaptive)
        yield from synthesizer.synthesize(batch)[:, :height, :width]


class TileSynthesizer:
    """The decoder network on B tiles of one size; keeps its recurrent state between calls."""

    def __init__(self, transform: Transform, iterations: int, *, adaptive: bool) -> None:
        # The network takes codes from the queue, not from this object: in a circle of
        # references the states of all tiles would wait in memory for the garbage collector.
        self.waiting: deque[Codes] = deque()
        source = partial(next_code, self.waiting, transform.device)
        self.steps = iterate(transform.network, source, iterations, adaptive=adaptive)

    def synthesize(self, codes: Codes) -> Pixels:
        """Codes (n, B, h, w, 32) of the next iterations -> uint8 (B, 16 h, 16 w, 3)."""
        self.waiting.extend(codes)
        with torch.inference_mode():
            for _ in codes:
                step = next(self.steps)
            return to_uint8(step.x_hat).permute(0, 2, 3, 1).cpu().numpy()


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


def overlap(a: slice, b: slice) -> bool:
    """Whether two slices with ends have something in common."""
    return bool(a.start < b.stop and b.start < a.stop)


def to_bits(code: Tensor) -> NDArray[np.uint8]:
    """Code (B, 32, h, w) of -1, +1 and 0 -> uint8 (B, h, w, 32) of 0, 1 and UNSENT."""
    bits = (code > 0).to(torch.uint8).masked_fill(code == 0, UNSENT)
    return bits.permute(0, 2, 3, 1).cpu().numpy()
