"""Between codes and the payloads of a file: joins the entropy model and the range coder."""

import copy
from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from rnncodec.bitstream import (
    Codes,
    CutDecoder,
    Decoder,
    Header,
    Iteration,
    Mask,
    Segment,
    SegmentMode,
    Tile,
    encode,
    position_order,
    sending,
)
from rnncodec.entropy.integer import IntegerModel
from rnncodec.entropy.wavefront import Wavefront
from rnncodec.errors import BitstreamError, ModelError
from rnncodec.geometry import BITS, UNSENT

BitSource = Callable[[NDArray[np.int32]], NDArray[np.uint8]]
EVEN = 1 << 15
"""Probability 1/2, in 1/65536."""
CAREFUL_POSITIONS = 1 << 12
"""Reading a mask takes its time however few bytes it has: in an adaptive file of more positions
the first iteration, which has none, must be right before that is begun."""
BATCH_POSITIONS = 1 << 14
"""Bounds the memory of a batch: some 15 KB for each position at 16 iterations and 64 units."""


class Batch(NamedTuple):
    """Some tiles of one size, by number in raster order: coded one by one, computed together."""

    numbers: tuple[int, ...]
    tiles: tuple[Tile, ...]

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of each tile, in positions."""
        return self.tiles[0].h, self.tiles[0].w


def batches(header: Header, *, positions: int) -> list[Batch]:
    """The tiles of an image, by size; batches of several tiles have at most so many positions.

    Small tiles one by one would take as many steps each as a large image does.

    Examples:
        >>> header = Header(width=80, height=32, iterations=1, fingerprint=bytes(16), tile=32)
        >>> [(batch.numbers, batch.size) for batch in batches(header, positions=100)]
        [((0, 1), (2, 2)), ((2,), (2, 1))]
    """
    of_size: dict[tuple[int, int], list[tuple[int, Tile]]] = {}
    for number, tile in enumerate(header.tiles()):
        of_size.setdefault((tile.h, tile.w), []).append((number, tile))
    found = []
    for (h, w), tiles in of_size.items():
        count = max(1, positions // (h * w))
        for at in range(0, len(tiles), count):
            numbers, chosen = zip(*tiles[at : at + count], strict=True)
            found.append(Batch(numbers, chosen))
    return found


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
        codes: uint8 (T, h, w, 32) of 0 and 1, and UNSENT where a block of an adaptive file
            has stopped.
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
        shares = np.full(codes.shape, EVEN, np.int32)
    else:
        shares = model.probabilities(torch.from_numpy(codes)).numpy()
    ordered = [a.reshape(count, iterations, h * w, bits)[:, :, order] for a in (codes, shares)]
    tiles = zip(*ordered, strict=True)
    if adaptive:
        return [code_masked(Mask(h, w), c, p) for c, p in tiles]
    return [[encode(c.ravel(), p.ravel()) for c, p in zip(*tile, strict=True)] for tile in tiles]


def code_masked(mask: Mask, codes: Codes, shares: NDArray[np.int32]) -> list[bytes]:
    """Code a tile (T, n, 32) in coding order: flags (but none at first), then the bits sent."""
    coded = []
    for t, (bits, share) in enumerate(zip(codes, shares, strict=True)):
        sent = sending(bits)
        symbols, probabilities = bits[sent].ravel(), share[sent].ravel()
        if t:
            flags, flag_share = mask.flags(sent)
            symbols = np.concatenate([flags, symbols])
            probabilities = np.concatenate([flag_share, probabilities])
        coded.append(encode(symbols, probabilities))
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
        self._require_model(segments)
        h, w, _ = self.header.code_shape
        careful = self.header.adaptive and h * w > CAREFUL_POSITIONS
        if careful and segments[0].iteration == 1 and len(segments) > 1:
            return np.concatenate([self.read(segments[:1]), self.read(segments[1:])])
        known: list[Codes | None] = [None] * len(segments)
        for k, segment in enumerate(segments):
            if segment.mode is SegmentMode.RAW:  # its damage is known before any work is done
                segment.verify(raw := segment.raw_codes())
                known[k] = raw
        codes = np.empty((len(segments), *self.header.code_shape), np.uint8)
        for batch in batches(self.header, positions=BATCH_POSITIONS):
            if self.header.adaptive:
                new = [number for number in batch.numbers if number not in self._masks]
                self._masks |= {number: Mask(*batch.size) for number in new}
            masks = [self._masks.get(number) for number in batch.numbers]
            pairs = zip(segments, known, strict=True)
            sources = [bit_source(segment, raw, batch, masks) for segment, raw in pairs]
            for tile, part in zip(batch.tiles, self._decode(batch, sources), strict=True):
                codes[:, *tile.slices] = part
        for segment, frame in zip(segments, codes, strict=True):
            segment.verify(frame)
        return codes

    def read_cut(self, segment: Segment) -> Codes:
        """The codes (h, w, 32) of a segment of which only the beginning has arrived.

        UNSENT where a position's bits have not, or are not settled yet. Nothing verifies them, and
        nothing can be read after them.

        Raises:
            ModelError: an entropy-coded segment, but the model has no entropy model.
        """
        self._require_model([segment])
        codes = np.full(self.header.code_shape, UNSENT, np.uint8)
        if segment.mode is SegmentMode.RAW:
            arrived = len(segment.payload) * 8 // BITS
            bits = np.unpackbits(np.frombuffer(segment.payload, np.uint8)[: arrived * BITS // 8])
            codes.reshape(-1, BITS)[:arrived] = bits.reshape(arrived, BITS)
            return codes
        for batch in batches(self.header, positions=BATCH_POSITIONS):
            masks = [self._masks.get(number) or Mask(*batch.size) for number in batch.numbers]
            source = cut_source(segment, batch, masks)
            for tile, part in zip(batch.tiles, self._decode(batch, [source]), strict=True):
                codes[tile.slices] = part[0]
        return codes

    def _require_model(self, segments: Sequence[Segment]) -> None:
        for segment in segments:
            if self.model is None and segment.mode.modelled:
                raise ModelError(
                    f"iteration {segment.iteration} is entropy-coded, but this model has no "
                    "entropy model; decode with the model file that wrote it"
                )

    def _decode(self, batch: Batch, sources: list[BitSource]) -> Codes:
        """The codes (B, n, h, w, 32) of a batch's next n iterations."""
        first, count, n = batch.numbers[0], len(batch.tiles), len(sources)
        if self.model is None:
            order = position_order(*batch.size)
            even = np.full((count, len(order), BITS), EVEN, np.int32)
            codes = np.empty((count, n, len(order), BITS), np.uint8)
            codes[:, :, order] = np.stack([source(even) for source in sources], axis=1)
            return codes.reshape(count, n, *batch.size, BITS)
        front = self._unfinished.pop(first, None) or Wavefront(
            self.model, batch.size, iterations=self.iterations, batch=count
        )
        before = front.done
        front.advance(before + n, lambda t, shares: sources[t - before](shares))
        if front.done < self.iterations:
            self._unfinished[first] = front
        return front.codes()[:, before:].numpy()


def bit_source(
    segment: Segment, known: Codes | None, batch: Batch, masks: Sequence[Mask | None]
) -> BitSource:
    """Where the bits of a segment come from, for the tiles of a batch.

    Args:
        segment: of any mode.
        known: its codes (h, w, 32), if it stores them raw.
        batch: the tiles.
        masks: of each tile, from the iteration before; they are left at this one.

    Returns:
        A function: P(bit = 1) (B, n, 32) of the next positions in, their bits out.
    """
    position, sent = 0, None
    if known is not None:
        order = position_order(*batch.size)
        stored = np.stack([known[t.slices].reshape(len(order), -1)[order] for t in batch.tiles])
    else:
        decoders = [segment.decoder(number) for number in batch.numbers]
        if segment.mode.masked:
            pairs = zip(masks, decoders, strict=True)
            sent = np.stack([mask.read(decoder) for mask, decoder in pairs if mask is not None])

    def bits(shares: NDArray[np.int32]) -> NDArray[np.uint8]:
        nonlocal position
        start, position = position, position + shares.shape[1]
        if known is not None:
            return stored[:, start:position]
        found = np.full(shares.shape, UNSENT, np.uint8)
        for tile, decoder in enumerate(decoders):
            here = np.s_[:] if sent is None else sent[tile, start:position]
            asked = shares[tile, here]
            asked = asked if segment.mode.modelled else np.full_like(asked, EVEN)
            found[tile, here] = decoder.decode(asked.ravel()).reshape(asked.shape)
        return found

    return bits


def cut_source(segment: Segment, batch: Batch, masks: Sequence[Mask]) -> BitSource:
    """As :func:`bit_source`, of a segment whose payload is cut: UNSENT from where it ends on."""
    position = 0
    cuts: list[CutDecoder] = []
    sent = np.ones((len(masks), batch.size[0] * batch.size[1]), np.bool_)
    for tile, (number, mask) in enumerate(zip(batch.numbers, masks, strict=True)):
        try:
            cuts.append(cut := segment.cut_decoder(number))
        except BitstreamError:  # the table of tiles has not arrived
            cuts.append(cut := CutDecoder(b""))
        if segment.mode.masked:
            flags = cut.read(partial(mask_of, mask))
            sent[tile] = False if flags is None else flags

    def bits(shares: NDArray[np.int32]) -> NDArray[np.uint8]:
        nonlocal position
        start, position = position, position + shares.shape[1]
        found = np.full(shares.shape, UNSENT, np.uint8)
        for tile, cut in enumerate(cuts):
            for k in np.flatnonzero(sent[tile, start:position]):
                asked = shares[tile, k] if segment.mode.modelled else np.full(BITS, EVEN)
                settled = cut.read(partial(Decoder.decode, probabilities=asked))
                if settled is None:
                    break
                found[tile, k] = settled
        return found

    return bits


def mask_of(before: Mask, decoder: Decoder) -> NDArray[np.bool_]:
    """Which positions send after a mask, by a tile's payload; the mask stays as it is."""
    return copy.deepcopy(before).read(decoder)


def check_iterations(header: Header, iterations: int) -> None:
    """Refuse a file with more iterations than its model was trained for.

    Raises:
        BitstreamError: naming both.
    """
    if header.iterations > iterations:
        raise BitstreamError(
            f"file of {header.iterations} iterations, but its model has {iterations}", 7
        )
