"""GRU with residual shortcuts (section 3.1, "GRU + ResNet")."""

import torch
from torch import Tensor

from rnncodec.network.cells import State, conv2d
from rnncodec.network.cells.gru import GRU
from rnncodec.validation import check_number


class GRUResNet(GRU):
    r"""The paper's hybrid of GRU and residual connections.

    .. math::
        h_t &= \mathrm{GRU}(x_t, h_{t-1}) + \alpha\, W_h h_{t-1} \\
        y_t &= h_t + \alpha\, W_{ox} x_t

    ``W_h`` and ``W_ox`` are 1x1. The shortcut from ``x`` is on the output only: the state is
    ``h_t``.

    Args:
        in_channels, out_channels, stride, hidden_kernel, update_bias: as in :class:`GRU`.
        alpha: weight of both shortcuts, 0.1 in the paper.

    Raises:
        ConfigError: an ``alpha`` that is no number from -100 to 100.

    Examples:
        >>> cell = GRUResNet(3, 8, stride=2)
        >>> y, state = cell(torch.zeros(2, 3, 16, 16))
        >>> y.shape
        torch.Size([2, 8, 8, 8])
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        *,
        stride: int = 1,
        hidden_kernel: int = 1,
        update_bias: float = 0.0,
        alpha: float = 0.1,
    ) -> None:
        check_number("alpha", alpha, -100, 100)
        super().__init__(
            in_channels,
            out_channels,
            stride=stride,
            hidden_kernel=hidden_kernel,
            update_bias=update_bias,
        )
        self.alpha = alpha
        self.W_h = conv2d(out_channels, out_channels, 1, bias=False)
        self.W_ox = conv2d(in_channels, out_channels, 1, stride=stride, bias=False)

    def forward(self, x: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        """(B, in, H, W), (h,) -> (B, out, H/stride, W/stride), (h,)."""
        h, _ = super().forward(x, state)
        if state is not None:
            h = torch.add(h, self.W_h(state[0]), alpha=self.alpha)
        shortcut = self.W_ox(x)
        return torch.add(h, shortcut, alpha=self.alpha).to(shortcut.dtype), (h,)
