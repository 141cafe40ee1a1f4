"""Between two iterations: files whose last iteration is sent for some of the blocks only.

The blocks with the largest error come first. So the picture between two iterations is better than
the line between both says, by MS-SSIM and by PSNR-HVS (docs/experiments/0030); in raster order it
would be worse. Which blocks they are stands in the file's mask, as in every adaptive file
(FORMAT.md, "Mask"), so that any decoder of the format reads them.
"""

import math
from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from rnncodec.bitstream import Codes, sending
from rnncodec.coding.quality_target import QualityTarget
from rnncodec.geometry import BLOCK, UNSENT

FULL = 0.99
"""The share of a size that is enough."""
TRIALS = 4
"""How many numbers of blocks are tried, for a size or for a quality."""
LEAST = 1e-9
"""The least error of MS-SSIM, so that it has a logarithm."""
SPARE = (0.03, 0.12)
"""Blocks more than a quality seems to need, as a share of all; the second, if the first are not
enough. A block comes out a little worse where its neighbours send nothing: on crops of photographs
that took up to 0.023 of the gain of an iteration."""


def in_worst_blocks(codes: Codes, errors: NDArray[np.floating], count: int) -> Codes:
    """Codes (T, h, w, 32) with a last iteration in so many blocks, by their errors (h, w)."""
    order = np.argsort(-np.where(sending(codes[-1]), errors, -np.inf), axis=None, kind="stable")
    chosen = np.zeros(errors.size, np.bool_)
    chosen[order[:count]] = True
    shorter = codes.copy()
    shorter[-1][~chosen.reshape(errors.shape)] = UNSENT
    return shorter


def filling(
    codes: Codes, errors: NDArray[np.floating], write: Callable[[Codes], bytes], limit: float
) -> Codes:
    """The codes whose last iteration is sent for as many blocks as bytes allow.

    Args:
        codes: (T, h, w, 32), whose file is too long, but not without the last iteration.
        errors: of each block after the iteration before that, (h, w).
        write: makes a file of codes.
        limit: the most bytes it may have.
    """
    best = codes[:-1]
    low, high = 0, int(sending(codes[-1]).sum())
    shorter, longer = len(write(best)), len(write(codes))
    for _ in range(TRIALS):
        if high - low <= 1 or shorter >= FULL * limit:
            break
        share = (limit - shorter) / max(1, longer - shorter)
        count = min(high - 1, max(low + 1, low + int(share * (high - low))))
        trial = in_worst_blocks(codes, errors, count)
        size = len(write(trial))
        if size <= limit:
            low, shorter, best = count, size, trial
        else:
            high, longer = count, size
    return best


def fewest_blocks(
    reference: Tensor, before: Tensor, after: Tensor, goal: QualityTarget
) -> tuple[int, NDArray[np.float32]]:
    """How many blocks seem to need the last iteration for a goal, and the errors that order them.

    Args:
        reference: the picture, uint8 (1, 3, H, W).
        before: how it is decoded without the last iteration, which does not reach the goal.
        after: with it, which does.
        goal: what to reach.
    """
    errors = block_errors(reference, before)
    ranks = np.empty(errors.size, np.int64)
    ranks[np.argsort(-errors, axis=None, kind="stable")] = np.arange(errors.size)
    rank = torch.from_numpy(ranks.reshape(errors.shape))
    rank = rank.repeat_interleave(BLOCK, 0).repeat_interleave(BLOCK, 1)
    rank = rank[: reference.shape[-2], : reference.shape[-1]]

    def missing(decoded: Tensor) -> float:
        score = float(goal.score(reference, decoded))
        if goal.metric == "psnr":
            return goal.target - score
        return math.log(max(1 - score, LEAST) / max(1 - goal.target, LEAST))

    low, high = 0, errors.size
    worse, better = missing(before), missing(after)
    for _ in range(TRIALS):
        if high - low <= 1:
            break
        count = low + math.ceil((high - low) * worse / (worse - better))
        count = min(high - 1, max(low + 1, count))
        found = missing(torch.where(rank < count, after, before))
        if found <= 0:
            high, better = count, found
        else:
            low, worse = count, found
    return high, errors


def block_errors(reference: Tensor, decoded: Tensor) -> NDArray[np.float32]:
    """Squared error of each block, summed: two pictures (1, 3, H, W) of any size -> (h, w)."""
    error = (reference[0].float() - decoded[0].float()).square().sum(dim=0).cpu()
    height, width = error.shape
    error = torch.nn.functional.pad(error, (0, -width % BLOCK, 0, -height % BLOCK))
    h, w = error.shape[0] // BLOCK, error.shape[1] // BLOCK
    return error.view(h, BLOCK, w, BLOCK).sum(dim=(1, 3)).numpy()
