"""Additive reconstruction (section 3.2, "Additive"; gamma = 1)."""

from torch import Tensor

from rnncodec.network.recon import Reconstruction


class Additive(Reconstruction):
    r"""Every iteration predicts what is missing: :math:`\hat x_t = \hat x_{t-1} + D_t(b_t)`."""

    def combine(self, x_hat: Tensor | None, decoded: Tensor, gain: Tensor | None) -> Tensor:
        """The sum of all decoder outputs so far, (B, 3, H, W)."""
        return decoded if x_hat is None else x_hat + decoded
