"""Convolutional GRU (section 3.1, "Gated Recurrent Units")."""

import torch
from torch import Tensor, nn

from rnncodec.network.cells import Cell, State, kept
from rnncodec.validation import check_number


class GRU(Cell):
    r"""Gated recurrent unit.

    .. math::
        z, r &= \sigma(W x + U h_{t-1} + b) \\
        h_t &= (1 - z) h_{t-1} + z \tanh(W_h x + U_h (r h_{t-1}) + b_h)

    The candidate has its own input convolution, and ``r`` multiplies ``h`` before ``U_h``. One
    convolution computes all three input parts.

    Args:
        in_channels, out_channels, stride, hidden_kernel: as :class:`Cell` has them.
        update_bias: where the bias of ``z`` starts. At 0 a cell starts as a leaky memory and a
            stack of them answers to its input only iterations later; a residual codec learns
            faster from cells that start by following it, as at 2 (``z`` = 0.88).

    Raises:
        ConfigError: an ``update_bias`` that is no number from -100 to 100.

    Examples:
        >>> cell = GRU(3, 8, stride=2)
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
    ) -> None:
        check_number("update_bias", update_bias, -100, 100)
        super().__init__(in_channels, out_channels, stride=stride, hidden_kernel=hidden_kernel)
        self.W = self.input_conv(3 * out_channels)
        assert self.W.bias is not None
        nn.init.constant_(self.W.bias[:out_channels], update_bias)
        self.U = self.hidden_conv(2 * out_channels)
        self.U_h = self.hidden_conv(out_channels)

    def forward(self, x: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        """(B, in, H, W), (h,) -> (B, out, H/stride, W/stride), (h,)."""
        z, r, candidate = self.W(x).chunk(3, dim=1)
        if state is None:
            h = kept(torch.sigmoid(z) * torch.tanh(candidate))
            return h, (h,)
        (h,) = state
        seen = h.to(z.dtype)
        u_z, u_r = self.U(seen).chunk(2, dim=1)
        z = torch.sigmoid(z + u_z)
        r = torch.sigmoid(r + u_r)
        candidate = torch.tanh(candidate + self.U_h(r * seen))
        h = torch.lerp(h, kept(candidate), kept(z))
        return h, (h,)
