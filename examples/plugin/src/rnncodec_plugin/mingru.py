"""A cell: the minimal GRU of Feng et al. 2024, "Were RNNs All We Needed?", as a convolution."""

import torch
from torch import Tensor

from rnncodec.network.cells import Cell, State


class MinGRU(Cell):
    r"""The gate sees the input alone: :math:`h_t = (1 - z_t) h_{t-1} + z_t W_h x_t`."""

    def __init__(
        self, in_channels: int, out_channels: int, *, stride: int = 1, hidden_kernel: int = 1
    ) -> None:
        super().__init__(in_channels, out_channels, stride=stride, hidden_kernel=hidden_kernel)
        self.W = self.input_conv(2 * out_channels)

    def forward(self, x: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        """(B, in, H, W), (h,) -> (B, out, H/stride, W/stride), (h,)."""
        z, candidate = self.W(x).chunk(2, dim=1)
        z = torch.sigmoid(z)
        h = z * candidate if state is None else torch.lerp(state[0], candidate, z)
        return h, (h,)
