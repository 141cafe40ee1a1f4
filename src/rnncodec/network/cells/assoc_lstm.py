"""Associative LSTM (section 3.1, "Associative LSTM"; Danihelka et al., ICML 2016)."""

import torch
from torch import Tensor, nn

from rnncodec.network.cells import Cell, State, kept
from rnncodec.network.cells.lstm import LSTM


class AssociativeLSTM(Cell):
    r"""Holographic, complex-valued LSTM.

    .. math::
        f, i, o &= \sigma(\cdot) \in (0, 1) \qquad
        j, r_i, r_o = \mathrm{bound}(\cdot) \in \mathbb{C} \\
        c_t &= f c_{t-1} + r_i i j \qquad h_t = o\,\mathrm{bound}(r_o c_t)

    with complex products and ``bound(z) = z / max(1, |z|)``. The output is the concatenation
    ``(Re h, Im h)`` over channels: ``out_channels`` real channels are half as many complex units.
    The paper found it effective only in the decoder; the encoder keeps a plain LSTM.

    Examples:
        >>> cell = AssociativeLSTM(4, 8)
        >>> y, (h, real, imaginary) = cell(torch.zeros(1, 4, 2, 2))
        >>> y.shape, real.shape
        (torch.Size([1, 8, 2, 2]), torch.Size([1, 4, 2, 2]))
    """

    encoder_cell = LSTM

    def __init__(
        self, in_channels: int, out_channels: int, *, stride: int = 1, hidden_kernel: int = 1
    ) -> None:
        super().__init__(in_channels, out_channels, stride=stride, hidden_kernel=hidden_kernel)
        assert out_channels % 2 == 0, "complex units need two channels each"
        self.units = out_channels // 2
        self.W = self.input_conv(9 * self.units)
        self.U = self.hidden_conv(9 * self.units)
        # f remembers; r_i and r_o start as the key 1, else their product starts near zero and
        # with it every gradient.
        f, _, _, _, _, r_i, _, r_o, _ = self.W.bias.chunk(9)  # type: ignore[union-attr]
        for bias in (f, r_i, r_o):
            nn.init.ones_(bias)

    def forward(self, x: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        """(B, in, H, W), (h, Re c, Im c) -> (B, out, H/stride, W/stride), (h, Re c, Im c)."""
        gates = self.W(x) if state is None else self.W(x) + self.U(state[0])
        f, i, o, *pairs = gates.chunk(9, dim=1)
        j, r_i, r_o = (bound(pairs[k], pairs[k + 1]) for k in (0, 2, 4))
        real, imaginary = (kept(torch.sigmoid(i) * part) for part in product(r_i, j))
        if state is not None:
            f = torch.sigmoid(f)
            real, imaginary = f * state[1] + real, f * state[2] + imaginary
        o = torch.sigmoid(o)
        parts = bound(*product(r_o, (real, imaginary)))
        h = torch.cat([o * part.to(o.dtype) for part in parts], dim=1)
        return h, (h, real, imaginary)


def product(a: tuple[Tensor, Tensor], b: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
    """Complex product of (real, imaginary) pairs."""
    return a[0] * b[0] - a[1] * b[1], a[0] * b[1] + a[1] * b[0]


def bound(real: Tensor, imaginary: Tensor) -> tuple[Tensor, Tensor]:
    """``z / max(1, |z|)``, written so that its gradient at 0 is finite (a square root's is not).

    Examples:
        >>> bound(torch.tensor(3.0), torch.tensor(4.0))
        (tensor(0.6000), tensor(0.8000))
    """
    kind = real.dtype
    if kind == torch.float16:  # the square of 256 is infinite there
        real, imaginary = real.float(), imaginary.float()
    scale = torch.rsqrt((real * real + imaginary * imaginary).clamp(min=1))
    return (real * scale).to(kind), (imaginary * scale).to(kind)
