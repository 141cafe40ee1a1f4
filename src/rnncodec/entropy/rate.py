r"""What codes cost, and what a picture gains for it: for training and for the search for bits.

Both minimise the mean over the iterations t of :math:`\ln D_t + s_t R_t`: the distortion of the
picture after iteration t, the bits until then, and the slope of the curve of both, so that a
percent of distortion is worth the same in bits everywhere.
"""

import math

import torch
from torch import Tensor
from torch.nn.functional import softplus

from rnncodec.entropy.model import EntropyModel

LEAST = 1e-9
"""Lower bound of a distortion, since its logarithm is taken."""


def spent(entropy: EntropyModel | None, codes: Tensor) -> Tensor:
    """Bits until the end of each iteration, as a share of a raw iteration's.

    By the entropy model even where a file would store them raw, which it does not have to if they
    become predictable.

    Args:
        entropy: what the bits cost, by its gradient; None: all the same.
        codes: (B, T, 32, h, w) of -1 and +1, 0 where a block has stopped.

    Returns:
        (T,), means over the batch; the whole is T where nothing can be predicted.
    """
    bits = codes.abs()
    if entropy is not None:
        with torch.autocast(codes.device.type, enabled=False):
            codes = codes.float()
            bits = bits * softplus(-codes * entropy(codes)) / math.log(2)
    return bits.mean(dim=(0, 2, 3, 4)).cumsum(0)


def slopes(distortions: Tensor, bits: Tensor) -> Tensor:
    """How much the logarithm of the distortion falls for the bits of a raw iteration.

    Before and after each iteration together; for a single one, from a picture without bits.

    Args:
        distortions: of a picture without bits and of that after each iteration, (T + 1,).
        bits: until the end of each iteration, (T,), as :func:`spent` counts them.

    Returns:
        (T,), not negative.

    Examples:
        >>> halves, bits = torch.tensor([1.0, 0.5, 0.25, 0.125]), torch.tensor([1.0, 2.0, 3.0])
        >>> slopes(halves, bits) / math.log(2)
        tensor([1., 1., 1.])
    """
    first = min(1, len(bits) - 1)
    x = torch.cat([bits.new_zeros(1), bits])[first:]
    y = distortions.clamp(min=LEAST).log()[first:]
    return -torch.gradient(y, spacing=(x,))[0][1 - first :].clamp(max=0)
