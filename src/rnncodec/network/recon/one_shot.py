"""One-shot reconstruction (section 3.2, "One-shot"; gamma = 0)."""

from torch import Tensor

from rnncodec.network.recon import Reconstruction


class OneShot(Reconstruction):
    r"""Every iteration predicts the whole image anew: :math:`\hat x_t = D_t(b_t)`."""

    def combine(self, x_hat: Tensor | None, decoded: Tensor, gain: Tensor | None) -> Tensor:
        """The decoder's output itself, (B, 3, H, W)."""
        return decoded
