"""One-shot whose encoder sees residuals of one magnitude (ours; after section 3.2)."""

from torch import Tensor

from rnncodec.network.recon.scheduled_additive import ScheduledAdditive


class ScheduledOneShot(ScheduledAdditive):
    r"""One-shot, with the gain of :class:`ScheduledAdditive` on what the encoder sees.

    .. math::
        g_t = g\,t^{p} \qquad b_t = B(E_t(r_{t-1}\,g_t)) \qquad \hat x_t = D_t(b_t)

    The decoder predicts the whole image, which does not shrink: nothing is divided there.
    """

    def combine(self, x_hat: Tensor | None, decoded: Tensor, gain: Tensor | None) -> Tensor:
        """The decoder's output itself, (B, 3, H, W)."""
        return decoded


BoostedOneShot = ScheduledOneShot
"""Its earlier name, in configurations of stored runs."""
