"""Between codes and the payloads of a file: joins the entropy model and the range coder."""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from rnncodec.bitstream import Codes, Header, Segment, SegmentMode, encode, position_order
from rnncodec.entropy.integer import IntegerModel
from rnncodec.entropy.wavefront import Decode, Wavefront
from rnncodec.errors import BitstreamError, ModelError
from rnncodec.tiles import Batch, batches

BitSource = Callable[[NDArray[np.int32]], NDArray[np.uint8]]
BATCH_POSITIONS = 1 << 14
"""Bounds the memory of a batch: some 15 KB for each position at 16 iterations and 64 units."""


def payloads(model: IntegerModel, codes: Codes, header: Header) -> list[list[bytes]]:
    """Code the bits of a whole image.

    Args:
        model: the entropy model.
        codes: uint8 (T, h, w, 32) of 0 and 1.
        header: says which tiles are coded by themselves.

    Returns:
        Bytes by iteration and tile.
    """
    by_tile: dict[int, list[bytes]] = {}
    for batch in batches(header, positions=BATCH_POSITIONS):
        stacked = np.stack([codes[:, *tile.slices] for tile in batch.tiles])
        by_tile |= zip(batch.numbers, code_tiles(model, stacked), strict=True)
    ordered = [by_tile[number] for number in range(header.tile_count)]
    return [list(tiles) for tiles in zip(*ordered, strict=True)]


def code_tiles(model: IntegerModel, codes: Codes) -> list[list[bytes]]:
    """Code tiles (B, T, h, w, 32): bytes by tile and iteration, in the order of (x + 4y, y)."""
    count, iterations, h, w, bits = codes.shape
    order = position_order(h, w)
    flat = (count, iterations, h * w, bits)
    chances = model.probabilities(torch.from_numpy(codes)).numpy().reshape(flat)
    return [
        [encode(c[order].ravel(), p[order].ravel()) for c, p in zip(*tile, strict=True)]
        for tile in zip(codes.reshape(flat), chances, strict=True)
    ]


class CodeReader:
    """Codes out of segments, one iteration after the other or many at once.

    Args:
        model: the entropy model; None reads raw segments only.
        header: of the file.
        iterations: how many will be read in all.
    """

    def __init__(self, model: IntegerModel | None, header: Header, iterations: int) -> None:
        self.model = model
        self.header = header
        self.iterations = iterations
        self._unfinished: dict[int, Wavefront] = {}

    def read(self, segments: Sequence[Segment]) -> Codes:
        """The codes (n, h, w, 32) of the next n segments, verified.

        Raises:
            BitstreamError: a segment is damaged.
            ModelError: entropy-coded segments, but the model has no entropy model.
        """
        if self.model is None:
            codes = np.stack([raw(segment) for segment in segments])
        else:
            codes = self._decode(self.model, [Source(segment) for segment in segments])
        for segment, decoded in zip(segments, codes, strict=True):
            segment.verify(decoded)
        return codes

    def _decode(self, model: IntegerModel, sources: "list[Source]") -> Codes:
        codes = np.empty((len(sources), *self.header.code_shape), np.uint8)
        for batch in batches(self.header, positions=BATCH_POSITIONS):
            first, count = batch.numbers[0], len(batch.tiles)
            front = self._unfinished.pop(first, None)
            if front is None:
                front = Wavefront(model, batch.size, iterations=self.iterations, batch=count)
            before = front.done
            bits = {t: source.bits(batch) for t, source in enumerate(sources, start=before)}
            front.advance(before + len(sources), by_iteration(bits))
            if front.done < self.iterations:
                self._unfinished[first] = front
            decoded = front.codes()[:, before:].numpy()
            for tile, part in zip(batch.tiles, decoded, strict=True):
                codes[:, *tile.slices] = part
        return codes


def raw(segment: Segment) -> Codes:
    """The codes of a raw segment.

    Raises:
        ModelError: it is entropy-coded.
    """
    if segment.mode is not SegmentMode.RAW:
        raise ModelError(
            f"iteration {segment.iteration} is entropy-coded, but this model has no entropy "
            "model; decode with the model file that wrote it"
        )
    return segment.raw_codes()


class Source:
    """Where the wavefront gets the bits of one segment from, whatever its mode.

    Raises:
        BitstreamError: a raw segment is damaged, which is known before any work is done.
    """

    def __init__(self, segment: Segment) -> None:
        self.segment = segment
        self.known: Codes | None = None
        if segment.mode is SegmentMode.RAW:
            self.known = segment.raw_codes()
            segment.verify(self.known)

    def bits(self, batch: Batch) -> BitSource:
        """For the tiles of a batch: P(bit = 1) (B, n, 32) of the next positions in, bits out."""
        if self.known is not None:
            return replay(self.known, batch)
        decoders = [self.segment.decoder(number) for number in batch.numbers]

        def decode(chances: NDArray[np.int32]) -> NDArray[np.uint8]:
            pairs = zip(decoders, chances, strict=True)
            return np.stack([d.decode(p.ravel()).reshape(p.shape) for d, p in pairs])

        return decode


def by_iteration(bits: dict[int, BitSource]) -> Decode:
    """What a wavefront asks for bits, from what each of its iterations does."""
    return lambda t, chances: bits[t](chances)


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
