"""Residual scaling by a schedule (ours; after section 3.2, "Residual scaling")."""

import torch
from torch import Tensor

from rnncodec.network.recon import Reconstruction
from rnncodec.validation import check_number


class ScheduledAdditive(Reconstruction):
    r"""Additive, with a gain that follows the residual's decay and depends on t alone.

    .. math::
        g_t = g\,t^{p} \qquad b_t = B(E_t(r_{t-1}\,g_t)) \qquad
        \hat x_t = \hat x_{t-1} + D_t(b_t) / g_t

    Residuals shrink roughly as a power of t. With a gain that follows, the recurrent cells see
    inputs of one magnitude at every iteration; without, training starts with a sum several times
    the image's magnitude, and what is new in a late iteration is lost beside the state.

    Args:
        gain: ``g``, the gain of the first iteration.
        power: ``p``.

    Raises:
        ConfigError: a ``gain`` that is no number from 0.001 to 1000, a ``power`` that is none
            from -4 to 4.
    """

    def __init__(self, gain: float = 4.0, power: float = 0.7) -> None:
        check_number("gain", gain, 1e-3, 1e3)
        check_number("power", power, -4, 4)
        super().__init__()
        self.first = gain
        self.power = power

    def gain(self, t: int, x_hat: Tensor | None) -> Tensor | None:
        """The gain of iteration ``t`` (from 0), a number on the CPU."""
        return torch.tensor(self.first * (t + 1) ** self.power)

    def combine(self, x_hat: Tensor | None, decoded: Tensor, gain: Tensor | None) -> Tensor:
        """The old picture plus the decoder's output, scaled back, (B, 3, H, W)."""
        assert gain is not None
        step = decoded / gain
        return step if x_hat is None else x_hat + step


BoostedAdditive = ScheduledAdditive
"""Its earlier name, in configurations of stored runs."""
