"""From pictures to files: as many iterations as a target asks for."""

import dataclasses
import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from torch import Tensor

from rnncodec.bitstream import Codes, Header, info, write
from rnncodec.coding import entropy_coding
from rnncodec.coding.latent_optimization import Effort
from rnncodec.coding.pictures import Picture
from rnncodec.coding.quality_target import QualityTarget, first_reaching
from rnncodec.coding.transform import Analysis, Extension, Transform
from rnncodec.entropy import EntropyModel, IntegerModel, smooth
from rnncodec.errors import ConfigError, TargetWarning
from rnncodec.geometry import UNSENT
from rnncodec.validation import is_number


@dataclass(frozen=True)
class Target:
    """Where a file stops: within a rate, where a goal is reached, or (neither) at the end.

    Raises:
        ConfigError: a rate that is not positive.
    """

    bpp: float | None = None
    goal: QualityTarget | None = None

    def __post_init__(self) -> None:
        if self.bpp is None:
            return
        if not is_number(self.bpp) or not 0 < self.bpp < float("inf"):
            raise ConfigError(f"bpp={self.bpp}: expected a positive number")

    @classmethod
    def of(
        cls,
        iterations: int | None,
        bpp: float | None,
        ms_ssim: float | None,
        psnr: float | None,
    ) -> "Target":
        """What these arguments of a caller ask for.

        Raises:
            ConfigError: more than one of them, or one out of range.
        """
        if sum(target is not None for target in (iterations, bpp, ms_ssim, psnr)) > 1:
            raise ConfigError("give at most one of iterations, bpp, ms_ssim and psnr")
        if ms_ssim is not None:
            return cls(goal=QualityTarget("ms_ssim", ms_ssim))
        return cls(bpp, None if psnr is None else QualityTarget("psnr", psnr))


class Encoder:
    """A network and its entropy model, and what they make of pictures."""

    def __init__(self, transform: Transform, entropy: IntegerModel | None) -> None:
        self.transform = transform
        self.entropy = entropy
        self._prices: EntropyModel | None = None

    @property
    def prices(self) -> EntropyModel | None:
        """The entropy model as a search for bits sees it."""
        if self._prices is None and self.entropy is not None:
            self._prices = smooth(self.entropy).to(self.transform.device)
        return self._prices

    def encode(
        self, pictures: Sequence[Picture], headers: Sequence[Header], target: Target
    ) -> list[bytes]:
        """The files of pictures of one size, each with as many iterations as it needs."""
        if target.bpp is not None:
            pairs = zip(pictures, headers, strict=True)
            return [self._fit(picture, header, target.bpp) for picture, header in pairs]
        pixels = np.stack([picture.pixels for picture in pictures])
        codes, scores, _ = self.transform.analyse(pixels, headers[0], target.goal)
        return [
            self.write(header, codes[k, : needed(target.goal, scores, k)])
            for k, header in enumerate(headers)
        ]

    def refine(self, picture: Picture, header: Header, target: Target, effort: Effort) -> bytes:
        """The file of one picture, whose bits are searched for.

        A rate is spent on the best picture it can bring at its end, a quality is reached with
        fewer iterations if that can be; where effort does not help, the file is the plain one.
        """
        if target == Target():
            return self.write(header, self._search(picture, header, None, effort).codes[0])
        last = effort.for_last()
        if target.goal is not None:
            return self._reach(picture, header, target.goal, last)
        plain = self.encode([picture], [header], target)[0]
        header = header.with_iterations(info(plain).iterations)
        data = self.write(header, self._search(picture, header, None, last).codes[0])
        within = info(data).bpp[-1] <= max(target.bpp or 0, info(plain).bpp[-1])
        return data if within else plain

    def _reach(
        self, picture: Picture, header: Header, goal: QualityTarget, effort: Effort
    ) -> bytes:
        """The shortest file that reaches a goal: with effort, one iteration fewer each time."""
        found = self._search(picture, header, goal, None)
        while True:
            assert found.scores is not None
            used, reached = first_reaching(found.scores[0], goal.target)
            iterations = used - 1 if reached else header.iterations
            if iterations == 0:
                break
            trial = self._search(picture, header.with_iterations(iterations), goal, effort)
            assert trial.scores is not None
            better = trial.scores.max() >= min(goal.target, float(found.scores.max()))
            found = trial if better else found
            if not (reached and better):
                break
        return self.write(header, found.codes[0, : needed(goal, found.scores, 0)])

    def _search(
        self, picture: Picture, header: Header, goal: QualityTarget | None, effort: Effort | None
    ) -> Analysis:
        return self.transform.analyse(picture.pixels[None], header, goal, effort=effort)

    def _fit(self, picture: Picture, header: Header, bpp: float) -> bytes:
        """The longest file within a rate; one iteration more has to be coded to know it."""
        pixels = header.width * header.height
        extension = Extension(self.transform, picture.pixels, header)
        used = max(1, min(header.iterations, int(bpp * pixels / 8) // header.raw_size))
        while True:
            codes = extension.codes(used)
            found = info(self.write(header, codes))
            if found.bpp[-1] > bpp or used == header.iterations:
                break
            # Entropy coding left room: go on to where iterations at the price of the last one
            # would fill it.
            price = 8 * found.segment_bytes[-1] / pixels
            used = min(header.iterations, used + 1 + int((bpp - found.bpp[-1]) / price))
        return self.write(header, codes[: fitting(found.bpp, bpp)])

    def write(self, header: Header, codes: Codes) -> bytes:
        """The file of codes (T, h, w, 32); an adaptive one if a position ends before it does."""
        header = dataclasses.replace(
            header, iterations=len(codes), adaptive=bool((codes == UNSENT).any())
        )
        return write(header, entropy_coding.coded_iterations(self.entropy, codes, header))


def needed(goal: QualityTarget | None, scores: Tensor | None, k: int) -> int | None:
    """How many iterations image k needs for its goal, from the scores (B, T); None: all.

    Warns:
        TargetWarning: none reaches it; the best is used.
    """
    if goal is None or scores is None:
        return None
    used, reached = first_reaching(scores[k], goal.target)
    if not reached:
        warn_unreached(f"{goal.metric}={goal.target:g}", f"{scores[k].max():.4g}")
    return used


def fitting(rates: Sequence[float], bpp: float) -> int:
    """How many iterations a rate has room for, by that of the file after each; at least 1.

    Warns:
        TargetWarning: not even for one.
    """
    count = sum(rate <= bpp for rate in rates)
    if count == 0:
        warn_unreached(f"bpp={bpp:g}", f"{rates[0]:.3f}")
    return max(1, count)


def warn_unreached(target: str, best: str) -> None:
    """Say that a target is out of reach and what was done instead."""
    warnings.warn(TargetWarning(target, best), stacklevel=4)
