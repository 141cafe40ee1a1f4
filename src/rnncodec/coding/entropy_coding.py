"""Between codes and the payloads of a file: joins the entropy model and the range coder."""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from rnncodec.bitstream import (
    Codes,
    Decoder,
    Header,
    Iteration,
    Mask,
    Segment,
    SegmentMode,
    encode,
    position_order,
    sending,
)
from rnncodec.coding.tiles import Batch, batches
from rnncodec.entropy.integer import IntegerModel
from rnncodec.entropy.wavefront import Wavefront
from rnncodec.errors import BitstreamError, ModelError
from rnncodec.geometry import BITS, UNSENT

BitSource = Callable[[NDArray[np.int32]], NDArray[np.uint8]]
EVEN = 1 << 15
"""Probability 1/2, in 1/65536."""
NO_FLAGS = np.zeros(0, np.uint8), np.zeros(0, np.int64)
CAREFUL_POSITIONS = 1 << 12
"""Reading a mask takes its time however few bytes it has: in an adaptive file of more positions
the first iteration, which has none, must be right before that is begun."""
BATCH_POSITIONS = 1 << 14
"""Bounds the memory of a batch: some 15 KB for each position at 16 iterations and 64 units."""


def coded_iterations(model: IntegerModel | None, codes: Codes, header: Header) -> list[Iteration]:
    """What a writer needs of codes (T, h, w, 32), in an adaptive file UNSENT in places."""
    nothing: list[None] = [None] * len(codes)
    coded = nothing if model is None else payloads(model, codes, header)
    even = payloads(None, codes, header) if header.adaptive else nothing
    return list(map(Iteration, codes, coded, even))


def payloads(model: IntegerModel | None, codes: Codes, header: Header) -> list[list[bytes]]:
    """Code the bits of a whole image.

    Args:
        model: the entropy model; None gives every bit a probability of 1/2.
        codes: uint8 (T, h, w, 32) of 0 and 1, and UNSENT where a position of an adaptive file
            has ended.
        header: says which tiles are coded by themselves.

    Returns:
        Bytes by iteration and tile.
    """
    by_tile: dict[int, list[bytes]] = {}
    for batch in batches(header, positions=BATCH_POSITIONS):
        stacked = np.stack([codes[:, *tile.slices] for tile in batch.tiles])
        coded = code_tiles(model, stacked, adaptive=header.adaptive)
        by_tile |= zip(batch.numbers, coded, strict=True)
    ordered = [by_tile[number] for number in range(header.tile_count)]
    return [list(tiles) for tiles in zip(*ordered, strict=True)]


def code_tiles(
    model: IntegerModel | None, codes: Codes, *, adaptive: bool = False
) -> list[list[bytes]]:
    """Code tiles (B, T, h, w, 32): bytes by tile and iteration, in the order of (x + 4y, y)."""
    count, iterations, h, w, bits = codes.shape
    order = position_order(h, w)
    if model is None:
        chances = np.full(codes.shape, EVEN, np.int32)
    else:
        chances = model.probabilities(torch.from_numpy(codes)).numpy()
    ordered = [a.reshape(count, iterations, h * w, bits)[:, :, order] for a in (codes, chances)]
    tiles = zip(*ordered, strict=True)
    if adaptive:
        return [code_masked(Mask(h, w), c, p) for c, p in tiles]
    return [[encode(c.ravel(), p.ravel()) for c, p in zip(*tile, strict=True)] for tile in tiles]


def code_masked(mask: Mask, codes: Codes, chances: NDArray[np.int32]) -> list[bytes]:
    """Code a tile (T, n, 32) in coding order: flags (but none at first), then the bits sent."""
    coded = []
    for t, (bits, share) in enumerate(zip(codes, chances, strict=True)):
        sent = sending(bits)
        flags, flag_share = mask.flags(sent) if t else NO_FLAGS
        symbols = np.concatenate([flags, bits[sent].ravel()])
        coded.append(encode(symbols, np.concatenate([flag_share, share[sent].ravel()])))
    return coded


class CodeReader:
    """Codes out of segments, one iteration after the other or many at once.

    Args:
        model: the entropy model; None reads segments that need none.
        header: of the file.
        iterations: how many will be read in all.
    """

    def __init__(self, model: IntegerModel | None, header: Header, iterations: int) -> None:
        self.model = model
        self.header = header
        self.iterations = iterations
        self._unfinished: dict[int, Wavefront] = {}
        self._masks: dict[int, Mask] = {}

    def read(self, segments: Sequence[Segment]) -> Codes:
        """The codes (n, h, w, 32) of the next n segments, verified; UNSENT where none is sent.

        Raises:
            BitstreamError: a segment is damaged.
            ModelError: entropy-coded segments, but the model has no entropy model.
        """
        if self.model is None:
            refuse_modelled(segments)
        h, w, _ = self.header.code_shape
        careful = self.header.adaptive and h * w > CAREFUL_POSITIONS
        if careful and segments[0].iteration == 1 and len(segments) > 1:
            return np.concatenate([self.read(segments[:1]), self.read(segments[1:])])
        sources = [Source(segment) for segment in segments]
        codes = np.empty((len(sources), *self.header.code_shape), np.uint8)
        for batch in batches(self.header, positions=BATCH_POSITIONS):
            masks = [self._mask(number, batch.size) for number in batch.numbers]
            bits = [source.bits(batch, masks) for source in sources]
            decoded = collect(batch, bits) if self.model is None else self._decode(batch, bits)
            for tile, part in zip(batch.tiles, decoded, strict=True):
                codes[:, *tile.slices] = part
        for segment, frame in zip(segments, codes, strict=True):
            segment.verify(frame)
        return codes

    def _mask(self, number: int, size: tuple[int, int]) -> Mask | None:
        if self.header.adaptive and number not in self._masks:
            self._masks[number] = Mask(*size)
        return self._masks.get(number)

    def _decode(self, batch: Batch, bits: list[BitSource]) -> Codes:
        assert self.model is not None
        first, size = batch.numbers[0], (len(bits), len(batch.tiles))
        front = self._unfinished.pop(first, None) or Wavefront(
            self.model, batch.size, iterations=self.iterations, batch=size[1]
        )
        before = front.done
        front.advance(before + size[0], lambda t, chances: bits[t - before](chances))
        if front.done < self.iterations:
            self._unfinished[first] = front
        return front.codes()[:, before:].numpy()


def refuse_modelled(segments: Sequence[Segment]) -> None:
    """Raise ModelError if a segment needs an entropy model."""
    for segment in segments:
        if segment.mode.modelled:
            raise ModelError(
                f"iteration {segment.iteration} is entropy-coded, but this model has no entropy "
                "model; decode with the model file that wrote it"
            )


class Source:
    """Where the bits of one segment come from, whatever its mode.

    Raises:
        BitstreamError: a raw segment is damaged, which is known before any work is done.
    """

    def __init__(self, segment: Segment) -> None:
        self.segment = segment
        self.known: Codes | None = None
        if segment.mode is SegmentMode.RAW:
            self.known = segment.raw_codes()
            segment.verify(self.known)

    def bits(self, batch: Batch, masks: Sequence[Mask | None]) -> BitSource:
        """For the tiles of a batch: P(bit = 1) (B, n, 32) of the next positions in, bits out.

        Masks must come from the iteration before, and are left at this one.
        """
        if self.known is not None:
            return replay(self.known, batch)
        decoders = [self.segment.decoder(number) for number in batch.numbers]
        if not self.segment.mode.masked:
            return received(decoders)
        pairs = zip(masks, decoders, strict=True)
        sent = np.stack([mask.read(decoder) for mask, decoder in pairs if mask is not None])
        return received_where(sent, decoders, even=not self.segment.mode.modelled)


def received(decoders: Sequence[Decoder]) -> BitSource:
    """The bits that the decoders of B tiles have for the probabilities they are given."""

    def decode(chances: NDArray[np.int32]) -> NDArray[np.uint8]:
        pairs = zip(decoders, chances, strict=True)
        return np.stack([d.decode(p.ravel()).reshape(p.shape) for d, p in pairs])

    return decode


def received_where(
    sent: NDArray[np.bool_], decoders: Sequence[Decoder], *, even: bool
) -> BitSource:
    """The same where positions (B, n) send, UNSENT elsewhere; `even`: with probability 1/2."""
    position = 0

    def decode(chances: NDArray[np.int32]) -> NDArray[np.uint8]:
        nonlocal position
        position += chances.shape[1]
        bits = np.full(chances.shape, UNSENT, np.uint8)
        for tile, decoder in enumerate(decoders):
            here = sent[tile, position - chances.shape[1] : position]
            asked = chances[tile, here]
            asked = np.full_like(asked, EVEN) if even else asked
            bits[tile, here] = decoder.decode(asked.ravel()).reshape(asked.shape)
        return bits

    return decode


def collect(batch: Batch, bits: list[BitSource]) -> Codes:
    """The codes (B, n, h, w, 32) of n segments without an entropy model."""
    order, count = position_order(*batch.size), len(batch.tiles)
    even = np.full((count, len(order), BITS), EVEN, np.int32)
    codes = np.empty((count, len(bits), len(order), BITS), np.uint8)
    codes[:, :, order] = np.stack([source(even) for source in bits], axis=1)
    return codes.reshape(count, len(bits), *batch.size, BITS)


def replay(codes: Codes, batch: Batch) -> BitSource:
    """The bits of codes (h, w, 32) that are known already, whatever their probabilities."""
    order = position_order(*batch.size)
    flat = [codes[tile.slices].reshape(len(order), -1)[order] for tile in batch.tiles]
    known, position = np.stack(flat), 0

    def copy(chances: NDArray[np.int32]) -> NDArray[np.uint8]:
        nonlocal position
        position += chances.shape[1]
        return known[:, position - chances.shape[1] : position]

    return copy


def check_iterations(header: Header, iterations: int) -> None:
    """Refuse a file with more iterations than its model was trained for.

    Raises:
        BitstreamError: naming both.
    """
    if header.iterations > iterations:
        raise BitstreamError(
            f"file of {header.iterations} iterations, but its model has {iterations}", 7
        )
