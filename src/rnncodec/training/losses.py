"""Losses on one iteration's reconstruction (section 3, equation 4)."""

from torch import Tensor, nn


class L1(nn.Module):
    r"""Mean absolute residual :math:`\frac{1}{BCHW} \sum |x - \hat x_t|`.

    The mean over the iterations, which the training step takes, makes it the paper's
    :math:`\beta \sum_t |r_t|`.
    """

    def forward(self, x: Tensor, x_hat: Tensor) -> Tensor:
        """Images and reconstruction, both (B, 3, H, W) in [-0.5, 0.5] -> scalar."""
        return (x - x_hat).abs().mean()
