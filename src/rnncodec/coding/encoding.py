"""From images to files: as many iterations as a target asks for."""

import dataclasses
import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from rnncodec.bitstream import Codes, Header, info, sending, write
from rnncodec.coding import entropy_coding
from rnncodec.coding.input_image import InputImage
from rnncodec.coding.latent_optimization import Effort
from rnncodec.coding.partial import (
    SPARE,
    block_errors,
    fewest_blocks,
    filling,
    in_worst_blocks,
)
from rnncodec.coding.quality_target import QualityTarget, first_reaching
from rnncodec.coding.transform import Analysis, Synthesizer, TileRuns, Transform, to_bits
from rnncodec.entropy import EntropyModel, IntegerModel, smooth
from rnncodec.errors import ConfigError, TargetWarning
from rnncodec.geometry import UNSENT
from rnncodec.machine.allocator import freed_memory_kept
from rnncodec.machine.devices import float32_convolutions
from rnncodec.validation import is_number

PERFECT = 0.65
"""Mean squared error in levels of 255: a PSNR of 50 dB. Bits that follow bring nothing to see; of
a picture of one colour they would be most of the file. Photographs do not come near."""


@dataclass(frozen=True)
class Target:
    """Where a file stops: within a rate, where a goal is reached, or (neither) at the end.

    Attributes:
        bpp: the rate.
        goal: the quality.
        enough: without both, stop before the end where the picture is as good as perfect.

    Raises:
        ConfigError: a rate that is not positive.
    """

    bpp: float | None = None
    goal: QualityTarget | None = None
    enough: bool = False

    def __post_init__(self) -> None:
        if self.bpp is None:
            return
        if not is_number(self.bpp) or not 0 < self.bpp < float("inf"):
            raise ConfigError(f"bpp={self.bpp}: expected a positive number")

    @property
    def given(self) -> bool:
        """Whether there is a rate or a quality."""
        return self.bpp is not None or self.goal is not None

    @classmethod
    def of(
        cls, iterations: int | None, bpp: float | None, ms_ssim: float | None, psnr: float | None
    ) -> "Target":
        """What these arguments of a caller ask for.

        Raises:
            ConfigError: more than one of them, or one out of range.
        """
        if sum(target is not None for target in (iterations, bpp, ms_ssim, psnr)) > 1:
            raise ConfigError("give at most one of iterations, bpp, ms_ssim and psnr")
        if ms_ssim is not None:
            return cls(goal=QualityTarget("ms_ssim", ms_ssim))
        if psnr is not None:
            return cls(goal=QualityTarget("psnr", psnr))
        return cls(bpp, enough=bpp is None and iterations is None)


class ImageEncoder:
    """A network and its entropy model, and the files that they make of images."""

    def __init__(self, transform: Transform, entropy: IntegerModel | None) -> None:
        self.transform = transform
        self.entropy = entropy
        self._rate_model: EntropyModel | None = None

    @property
    def rate_model(self) -> EntropyModel | None:
        """The entropy model as a search for bits sees it."""
        if self._rate_model is None and self.entropy is not None:
            self._rate_model = smooth(self.entropy).to(self.transform.device)
        return self._rate_model

    def encode(
        self, images: Sequence[InputImage], headers: Sequence[Header], target: Target
    ) -> list[bytes]:
        """The files of images of one size, each with as many iterations as it needs."""
        pairs = list(zip(images, headers, strict=True))
        bpp, goal = target.bpp, target.goal
        if bpp is not None:
            return [
                self.write(header, self._fit(image, header, bpp)[0]) for image, header in pairs
            ]
        pixels = np.stack([image.pixels for image in images])
        found = self.transform.analyse(pixels, headers[0], goal)
        if goal is not None:
            return [self.reaching(*pair, found, k, goal) for k, pair in enumerate(pairs)]
        count = [enough(found, k) if target.enough else None for k in range(len(pairs))]
        return [
            self.write(header, codes[:used])
            for header, codes, used in zip(headers, found.codes, count, strict=True)
        ]

    def refine(self, image: InputImage, header: Header, target: Target, effort: Effort) -> bytes:
        """The file of one image, whose bits are searched for.

        A rate is spent on the best picture it can bring at its end, a quality is reached with
        fewer iterations if that can be; where effort does not help, the file is the plain one.
        """
        analyse = partial(self.transform.analyse, image.pixels[None])
        if not target.given:
            found = analyse(header, effort=effort)
            return self.write(
                header, found.codes[0, : enough(found, 0) if target.enough else None]
            )
        effort = effort.for_last()
        if target.goal is not None:
            return self._reach(image, header, target.goal, effort)
        codes, errors = self._fit(image, header, target.bpp or 0)
        plain, header = self.write(header, codes), header.with_iterations(len(codes))
        limit = max((target.bpp or 0) * header.width * header.height / 8, len(plain))
        ends = sending(codes).sum(axis=0, dtype=np.int64)[None]
        whole = bool((ends == header.iterations).all())
        better = analyse(header, ends=None if whole else ends, effort=effort).codes[0]
        data = self.write(header, better)
        if len(data) > limit and errors is not None:
            data = self.write(header, filling(better, errors, partial(self.write, header), limit))
        return data if len(data) <= limit else plain

    def _reach(
        self, image: InputImage, header: Header, goal: QualityTarget, effort: Effort
    ) -> bytes:
        """The shortest file that reaches a goal: with effort, one iteration fewer each time."""
        analyse = partial(self.transform.analyse, image.pixels[None])
        found = analyse(header, goal)
        while True:
            assert found.scores is not None
            used, reached = first_reaching(found.scores[0], goal.target)
            iterations = used - 1 if reached else header.iterations
            if iterations == 0:
                break
            trial = analyse(header.with_iterations(iterations), goal, effort=effort)
            assert trial.scores is not None
            better = trial.scores.max() >= min(goal.target, float(found.scores.max()))
            found = trial if better else found
            if not (reached and better):
                break
        return self.reaching(image, header, found, 0, goal)

    def reaching(
        self, image: InputImage, header: Header, found: Analysis, k: int, goal: QualityTarget
    ) -> bytes:
        """The shortest file of image k of a pass that reaches a goal, or is the best if none does.

        Its last iteration is sent for the blocks that need it; decoding proves that they do.
        """
        assert found.scores is not None
        codes = found.codes[k, : needed(goal, found.scores, k)]
        whole = self.write(header, codes)
        before, after = found.around[k]
        if before is None or found.scores[k, len(codes) - 1] < goal.target:
            return whole
        reference = torch.tensor(image.pixels).permute(2, 0, 1)[None]
        count, errors = fewest_blocks(reference, before, after, goal)
        for spare in SPARE:
            part = in_worst_blocks(codes, errors, count + math.ceil(spare * errors.size))
            shorter = self.write(header, part)
            if len(shorter) >= len(whole):
                break
            decoder = Synthesizer(self.transform, info(shorter).header, len(part))
            decoded = torch.from_numpy(decoder.synthesize(part)).permute(2, 0, 1)[None]
            if float(goal.score(reference, decoded)) >= goal.target:
                return shorter
        return whole

    @freed_memory_kept()
    @float32_convolutions()
    def _fit(
        self, image: InputImage, header: Header, bpp: float
    ) -> tuple[Codes, NDArray[np.float32] | None]:
        """The codes of the longest file within a rate, and the errors (h, w) that rank its blocks.

        One iteration more than fits has to be coded to know it; the worst blocks have it in the
        file. The errors are None where all blocks have the last iteration.
        """
        pixels = header.width * header.height
        tiles, done = TileRuns(self.transform, image.pixels[None], header), 0
        codes = np.empty((header.iterations, *header.code_shape), np.uint8)
        errors = np.empty((header.iterations, *header.code_shape[:2]), np.float32)
        used = max(1, min(header.iterations, int(bpp * pixels / 8) // header.raw_size))
        while True:
            for tile, t, step in tiles.run(done, used):
                codes[t, *tile.slices] = to_bits(step.code)[0]
                if step.before is not None:
                    x = self.transform.padded(tiles.pixels(tile))
                    errors[t, *tile.slices] = block_errors(x, step.before.clamp(-0.5, 0.5))
            done = used
            found = info(self.write(header, codes[:used]))
            if found.bpp[-1] > bpp or used == header.iterations:
                break
            # Entropy coding left room: continue to where iterations at the price of the last one
            # would fill it.
            price = 8 * found.segment_bytes[-1] / pixels
            used = min(header.iterations, used + 1 + int((bpp - found.bpp[-1]) / price))
        count = fitting(found.bpp, bpp)
        if count == used or found.bpp[0] > bpp:
            return codes[:count], None
        write = partial(self.write, header)
        return filling(codes[: count + 1], errors[count], write, bpp * pixels / 8), errors[count]

    def write(self, header: Header, codes: Codes) -> bytes:
        """The file of codes (T, h, w, 32); an adaptive one if a block stops before it does."""
        header = dataclasses.replace(
            header, iterations=len(codes), adaptive=bool((codes == UNSENT).any())
        )
        return write(header, entropy_coding.coded_iterations(self.entropy, codes, header))


def enough(found: Analysis, k: int) -> int | None:
    """After how many iterations image k is as good as perfect; None: not before the last."""
    assert found.mse is not None
    perfect = np.flatnonzero(found.mse[k] <= PERFECT)
    return int(perfect[0]) + 1 if len(perfect) else None


def needed(goal: QualityTarget | None, scores: Tensor | None, k: int) -> int | None:
    """How many iterations image k needs for its goal, from the scores (B, T); None: all.

    Warns:
        TargetWarning: none reaches it; the best is used.
    """
    if goal is None or scores is None:
        return None
    used, reached = first_reaching(scores[k], goal.target)
    if not reached:
        asked, best = f"{goal.metric}={goal.target:g}", f"{scores[k].max():.4g}"
        warnings.warn(TargetWarning(asked, best), stacklevel=3)
    return used


def fitting(rates: Sequence[float], bpp: float) -> int:
    """How many iterations a rate has room for, by that of the file after each; at least 1.

    Warns:
        TargetWarning: not even for one.
    """
    count = sum(rate <= bpp for rate in rates)
    if count == 0:
        warnings.warn(TargetWarning(f"bpp={bpp:g}", f"{rates[0]:.3f}"), stacklevel=3)
    return max(1, count)
