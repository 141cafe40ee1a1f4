"""Uniform noise as a function of (seed, sample index), the same on any device and batch split.

A counter is hashed instead of advancing a generator, so there is no state to save, and a resumed
or distributed run draws what an undisturbed one would have drawn.
"""

import torch
from torch import Tensor

# Constants of splitmix64 (Steele, Lea & Flood, 2014), as signed 64-bit numbers.
GOLDEN = 0x9E3779B97F4A7C15 - 2**64
MULTIPLIERS = (0xBF58476D1CE4E5B9 - 2**64, 0x94D049BB133111EB - 2**64)
SHIFTS = (30, 27, 31)


def uniform(seed: int, index: Tensor, shape: tuple[int, ...]) -> Tensor:
    """Independent uniform numbers in [0, 1), 24 bits each.

    Args:
        seed: the run's seed.
        index: (B,) int64, the global index of each sample over the whole training.
        shape: what each sample needs.

    Returns:
        (B, *shape) float32 on the device of ``index``.

    Examples:
        >>> a = uniform(0, torch.tensor([7, 8]), (2, 3))
        >>> b = uniform(0, torch.tensor([8]), (2, 3))
        >>> torch.equal(a[1], b[0])
        True
    """
    count = torch.Size(shape).numel()
    keys = mix(mix(torch.full_like(index, seed)) + index)
    counters = torch.arange(count, device=index.device) * GOLDEN
    bits = shift_right(mix(keys[:, None] + counters), 40)
    return (bits.float() * 2.0**-24).view(len(index), *shape)


def mix(z: Tensor) -> Tensor:
    """The finaliser of splitmix64: a bijection of 64-bit numbers that scatters nearby ones."""
    z = z + GOLDEN
    for shift, multiplier in zip(SHIFTS, MULTIPLIERS, strict=False):
        z = (z ^ shift_right(z, shift)) * multiplier
    return z ^ shift_right(z, SHIFTS[-1])


def shift_right(z: Tensor, bits: int) -> Tensor:
    """Logical shift of 64-bit numbers (the one of int64 tensors repeats the sign)."""
    shifted: Tensor = (z >> bits) & (2 ** (64 - bits) - 1)
    return shifted
