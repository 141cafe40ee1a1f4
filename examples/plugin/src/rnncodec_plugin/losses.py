"""A loss: the smooth L1 of Charbonnier et al. 1994."""

from torch import Tensor, nn


def charbonnier(x: Tensor, y: Tensor, epsilon: float = 0.01) -> Tensor:
    """Two batches (B, 3, H, W) in [-0.5, 0.5] -> scalar; a part for ``loss.weights``, too."""
    return ((x - y).square() + epsilon**2).sqrt().mean() - epsilon


class Charbonnier(nn.Module):
    """The same with a setting of its own: ``loss.epsilon``."""

    def __init__(self, epsilon: float = 0.01) -> None:
        super().__init__()
        self.epsilon = epsilon

    def forward(self, x: Tensor, x_hat: Tensor) -> Tensor:
        """Images and reconstruction, both (B, 3, H, W) in [-0.5, 0.5] -> scalar."""
        return charbonnier(x, x_hat, self.epsilon)
