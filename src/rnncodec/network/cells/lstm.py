"""Convolutional LSTM (section 3.1, "LSTM")."""

import torch
from torch import Tensor, nn

from rnncodec.network.cells import Cell, State, kept


class LSTM(Cell):
    r"""Long short-term memory.

    .. math::
        f, i, o &= \sigma(W x + U h_{t-1} + b) \qquad j = \tanh(W x + U h_{t-1} + b) \\
        c_t &= f c_{t-1} + i j \qquad h_t = o \tanh(c_t)

    One convolution computes all four gates. The forget gate's bias starts at 1, so that a new
    network remembers.

    Examples:
        >>> cell = LSTM(3, 8, stride=2)
        >>> y, state = cell(torch.zeros(2, 3, 16, 16))
        >>> y.shape
        torch.Size([2, 8, 8, 8])
    """

    def __init__(
        self, in_channels: int, out_channels: int, *, stride: int = 1, hidden_kernel: int = 1
    ) -> None:
        super().__init__(in_channels, out_channels, stride=stride, hidden_kernel=hidden_kernel)
        self.W = self.input_conv(4 * out_channels)
        self.U = self.hidden_conv(4 * out_channels)
        nn.init.ones_(self.W.bias[:out_channels])  # type: ignore[index]

    def forward(self, x: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        """(B, in, H, W), (h, c) -> (B, out, H/stride, W/stride), (h, c)."""
        gates = self.W(x) if state is None else self.W(x) + self.U(state[0])
        f, i, o, j = gates.chunk(4, dim=1)
        c = kept(torch.sigmoid(i) * torch.tanh(j))
        if state is not None:
            c = torch.sigmoid(f) * state[1] + c
        h = torch.sigmoid(o) * torch.tanh(c).to(o.dtype)
        return h, (h, c)
