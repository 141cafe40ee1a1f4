"""Files in which blocks stop where more bits would bring too little: threshold and target."""

import math
from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
from numpy.typing import NDArray

from rnncodec.bitstream import Codes, Header, info, sending
from rnncodec.coding.adaptive import DEFAULTS, StopRule, ends
from rnncodec.coding.encoding import ImageEncoder, Target, fitting, needed
from rnncodec.coding.input_image import InputImage
from rnncodec.coding.latent_optimization import Effort
from rnncodec.coding.quality_target import first_reaching
from rnncodec.coding.transform import Analysis
from rnncodec.geometry import UNSENT

PASSES = 8
"""How many thresholds are tried for a target."""
FINEST, COARSEST = 2.0**-8, 2.0**6
"""Bisection bounds, as multiples of the default threshold (log scale)."""
STRETCH = 1.5
"""A target's file may have so many times the iterations that a plain one would: with fewer there
is little to save, and with more the last blocks that are active gain less than they did in the
plain pass that judged them."""


def encode_adaptively(
    encoder: ImageEncoder,
    images: Sequence[InputImage],
    headers: Sequence[Header],
    how: tuple[StopRule, Target, Effort | None],
) -> list[bytes]:
    """The files of images of one size.

    A plain pass measures what every iteration would bring to every block; then the encoder runs
    with the mask, so that it sees what the decoder will see, or its bits are searched for.
    """
    rule, target, effort = how
    if rule.threshold is None and target.given:
        pairs = zip(images, headers, strict=True)
        return [ThresholdSearch(encoder, *pair, how).file() for pair in pairs]
    pixels = np.stack([image.pixels for image in images])
    errors = encoder.transform.analyse(pixels, headers[0], rule=rule).errors
    assert errors is not None
    last = ends(errors, rule.threshold or DEFAULTS[rule.measure])
    found = encoder.transform.analyse(pixels, headers[0], target.goal, ends=last, effort=effort)
    return [
        encoder.write(header, final_codes(encoder, header, found, target, k))
        for k, header in enumerate(headers)
    ]


class ThresholdSearch:
    """The threshold that a target asks for, by bisection.

    A rate asks for the smallest threshold whose file keeps within it, a quality for the largest
    one that reaches it.

    Args:
        encoder: network and entropy model.
        image: what to encode.
        header: of its file, with the most iterations allowed.
        how: by which measure, the target, and the effort.
    """

    def __init__(
        self,
        encoder: ImageEncoder,
        image: InputImage,
        header: Header,
        how: tuple[StopRule, Target, Effort | None],
    ) -> None:
        self.encoder = encoder
        self.image = image
        self.pixels = image.pixels[None]
        self.header = header
        self.rule, self.target, effort = how
        self.effort = None if effort is None else effort.for_last()

    def file(self) -> bytes:
        """The best file of all passes."""
        transform, goal = self.encoder.transform, self.target.goal
        plain = transform.analyse(self.pixels, self.header, goal, rule=self.rule)
        assert plain.errors is not None
        if goal is None:
            enough = self._within(plain)
        else:
            assert plain.scores is not None
            enough, _ = first_reaching(plain.scores[0], goal.target)
        most = min(self.header.iterations, math.ceil(STRETCH * max(1, enough)))
        header = self.header.with_iterations(most)
        # Better bits reach a quality with larger thresholds, but hardly change what fits a rate.
        effort = None if goal is None else self.effort
        analyse = partial(transform.analyse, self.pixels, header, goal, effort=effort)
        chosen, last = self._bisect(plain.errors, lambda ends: analyse(ends=ends))
        if chosen is None and self._works(plain):
            chosen = plain  # where no threshold reaches what all bits would
        codes = final_codes(self.encoder, header, chosen or last, self.target)
        if goal is None and self.effort is not None:
            codes = self._better(codes, plain.errors)
        data = self.encoder.write(header, codes)
        if goal is None or not self._works(plain):
            return data
        # A file whose last iteration alone is left out in places may be shorter than any of these.
        return min(data, self.encoder.reaching(self.image, self.header, plain, 0, goal), key=len)

    def _bisect(
        self, errors: NDArray[np.float32], code: Callable[[NDArray[np.int64]], Analysis]
    ) -> tuple[Analysis | None, Analysis]:
        """What works by the threshold closest to the target, if any does, and the last trial."""
        low, high = (DEFAULTS[self.rule.measure] * limit for limit in (FINEST, COARSEST))
        chosen: Analysis | None = None
        for _ in range(PASSES):
            threshold = math.sqrt(low * high)
            trial = code(ends(errors, threshold))
            works = self._works(trial)
            chosen = trial if works else chosen
            if works == (self.target.goal is None):
                high = threshold
            else:
                low = threshold
        return chosen, trial

    def _better(self, codes: Codes, errors: NDArray[np.float32]) -> Codes:
        """Better bits in place of these; if they take too many bytes, a few are left out."""
        header = self.header.with_iterations(len(codes))
        spent = sending(codes).sum(axis=0, dtype=np.int64)[None]
        found = self.encoder.transform.analyse(self.pixels, header, ends=spent, effort=self.effort)
        if not self._works(found):
            t = np.arange(len(codes)).reshape(1, -1, 1, 1)
            shorter, _ = self._bisect(
                errors,
                lambda ends: Analysis(
                    np.where((t < ends[:, None])[..., None], found.codes, np.uint8(UNSENT))
                ),
            )
            return trimmed((shorter or Analysis(codes[None])).codes[0])
        return trimmed(found.codes[0])

    def _works(self, trial: Analysis) -> bool:
        if self.target.goal is None:
            return self._within(trial) == len(trimmed(trial.codes[0]))
        assert trial.scores is not None
        return self.target.goal.target <= float(trial.scores.max())

    def _within(self, found: Analysis) -> int:
        """How many iterations keep within the rate."""
        assert self.target.bpp is not None
        data = self.encoder.write(self.header, trimmed(found.codes[0]))
        return sum(rate <= self.target.bpp for rate in info(data).bpp)


def final_codes(
    encoder: ImageEncoder, header: Header, found: Analysis, target: Target, k: int = 0
) -> Codes:
    """Those of image k, (T, h, w, 32), of as many iterations as its target asks for."""
    codes = trimmed(found.codes[k])[: needed(target.goal, found.scores, k)]
    if target.bpp is None:
        return codes
    return codes[: fitting(info(encoder.write(header, codes)).bpp, target.bpp)]


def trimmed(codes: Codes) -> Codes:
    """Codes (T, h, w, 32) without the last iterations, in which nothing is sent."""
    last = int(np.flatnonzero(sending(codes).any(axis=(1, 2))).max())
    return codes[: last + 1]
