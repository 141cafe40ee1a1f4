"""Residual scaling (section 3.2, "Residual scaling"; equations 6-8)."""

import itertools

from torch import Tensor, nn
from torch.nn import functional as F

from rnncodec.images.pixels import pad_to
from rnncodec.network.cells import conv2d
from rnncodec.network.recon import Reconstruction
from rnncodec.validation import check_whole

PATCH = 32


class ScaledAdditive(Reconstruction):
    r"""A gain per 32x32 patch lifts the shrinking residual back to full range.

    .. math::
        g_0 = 1 \qquad g_t = G(\hat x_t) \qquad
        b_t = B(E_t(r_{t-1}\,\mathrm{ZOH}(g_{t-1}))) \qquad
        \hat x_t = \hat x_{t-1} + D_t(b_t) / \mathrm{ZOH}(g_{t-1})

    ``G`` sees only the reconstruction, which the decoder has too: no side information.

    Args:
        channels: width of ``G``, 32 in the paper.

    Raises:
        ConfigError: ``channels`` that are no whole number from 1 to 1024.
    """

    def __init__(self, channels: int = 32) -> None:
        check_whole("channels", channels, 1, 1024)
        super().__init__()
        widths = [3, channels, channels, channels, channels]
        layers: list[nn.Module] = []
        for i, o in itertools.pairwise(widths):
            layers += [conv2d(i, o, 3, stride=2), nn.ELU()]
        self.G = nn.Sequential(*layers, nn.Conv2d(channels, 1, 2, stride=2), nn.ELU())

    def gain(self, t: int, x_hat: Tensor | None) -> Tensor | None:
        """(B, 3, H, W) -> (B, 1, H, W) in (1, inf), constant over each 32x32 patch."""
        if x_hat is None:
            return None
        gain = self.G(pad_to(x_hat, PATCH)).float() + 2
        held = F.interpolate(gain, scale_factor=PATCH, mode="nearest")
        return held[..., : x_hat.shape[-2], : x_hat.shape[-1]]

    def combine(self, x_hat: Tensor | None, decoded: Tensor, gain: Tensor | None) -> Tensor:
        """The old picture plus the decoder's output, scaled back, (B, 3, H, W)."""
        step = decoded if gain is None else decoded / gain
        return step if x_hat is None else x_hat + step
