"""Between codes and the payloads of a file: joins the entropy model and the range coder."""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from rnncodec.bitstream import Codes, Header, Segment, SegmentMode, Tile, encode, position_order
from rnncodec.entropy.integer import IntegerModel
from rnncodec.entropy.wavefront import Wavefront
from rnncodec.errors import BitstreamError, ModelError

BitSource = Callable[[NDArray[np.int32]], NDArray[np.uint8]]


def payloads(model: IntegerModel, codes: Codes, header: Header) -> list[list[bytes]]:
    """Code the bits of a whole image.

    Args:
        model: the entropy model.
        codes: uint8 (T, h, w, 32) of 0 and 1.
        header: says which tiles are coded by themselves.

    Returns:
        Bytes by iteration and tile.
    """
    by_tile = [code_tile(model, codes[:, *tile.slices]) for tile in header.tiles()]
    return [list(tiles) for tiles in zip(*by_tile, strict=True)]


def code_tile(model: IntegerModel, codes: Codes) -> list[bytes]:
    """Code one tile (T, h, w, 32): bytes by iteration, positions in the order of (x + 4y, y)."""
    iterations, h, w, bits = codes.shape
    order = position_order(h, w)
    probabilities = model.probabilities(torch.from_numpy(codes.copy())[None])[0].numpy()
    coded = codes.reshape(iterations, h * w, bits)[:, order]
    chances = probabilities.reshape(iterations, h * w, bits)[:, order]
    return [encode(coded[t].ravel(), chances[t].ravel()) for t in range(iterations)]


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
        codes = np.empty((len(segments), *self.header.code_shape), np.uint8)
        for number, tile in enumerate(self.header.tiles()):
            codes[:, *tile.slices] = self._read_tile(segments, number, tile)
        for segment, decoded in zip(segments, codes, strict=True):
            segment.verify(decoded)
        return codes

    def _read_tile(self, segments: Sequence[Segment], number: int, tile: Tile) -> Codes:
        if self.model is None:
            return np.stack([raw(segment)[tile.slices] for segment in segments])
        front = self._unfinished.pop(number, None)
        if front is None:
            front = Wavefront(self.model, (tile.h, tile.w), iterations=self.iterations)
        before = front.done
        sources = [bit_source(segment, number, tile) for segment in segments]
        front.advance(before + len(segments), lambda t, p: sources[t - before](p))
        if front.done < self.iterations:
            self._unfinished[number] = front
        return front.codes()[0, before:].numpy()


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


def bit_source(segment: Segment, number: int, tile: Tile) -> BitSource:
    """Where the wavefront gets the bits of one segment and tile from: P(bit = 1) in, bits out."""
    if segment.mode is SegmentMode.ENTROPY:
        decoder = segment.decoder(number)
        return lambda p: decoder.decode(p.reshape(-1)).reshape(p.shape)
    order = position_order(tile.h, tile.w)
    known = segment.raw_codes()[tile.slices].reshape(tile.h * tile.w, -1)[order]
    position = 0

    def copy(p: NDArray[np.int32]) -> NDArray[np.uint8]:
        nonlocal position
        count = p.shape[-2]
        position += count
        return known[position - count : position].reshape(p.shape)

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
