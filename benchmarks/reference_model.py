"""The paper's LSTM / additive codec as a textbook would write it: the reference to be faster than.

Written from the layer table and the equations (sections 3.1, 3.2), independently of the package:
float32, NCHW, one convolution over the input and one over the state for all gates of a cell, a
state of zeros, nn.PixelShuffle, a Python loop over the iterations, plain Adam.
"""

import torch
from torch import Tensor, nn

BITS = 32


class TextbookLSTM(nn.Module):
    """Convolutional LSTM that is handed its state, and returns it."""

    def __init__(self, inputs: int, outputs: int, *, stride: int, hidden_kernel: int) -> None:
        super().__init__()
        self.outputs, self.stride = outputs, stride
        self.input_conv = nn.Conv2d(inputs, 4 * outputs, 3, stride=stride, padding=1)
        self.hidden_conv = nn.Conv2d(
            outputs, 4 * outputs, hidden_kernel, padding=hidden_kernel // 2
        )

    def zeros(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """The state before the first iteration."""
        size = (x.shape[0], self.outputs, x.shape[2] // self.stride, x.shape[3] // self.stride)
        return x.new_zeros(size), x.new_zeros(size)

    def forward(self, x: Tensor, state: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
        """New (h, c)."""
        h, c = state
        f, i, o, j = torch.chunk(self.input_conv(x) + self.hidden_conv(h), 4, dim=1)
        c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(j)
        return torch.sigmoid(o) * torch.tanh(c), c


class Sign(torch.autograd.Function):
    """Stochastic binarization with a straight-through gradient."""

    @staticmethod
    def forward(ctx: object, p: Tensor, noise: Tensor) -> Tensor:
        """+1 with probability (1 + p) / 2, else -1."""
        return torch.where(noise < (1 + p) / 2, 1.0, -1.0)

    @staticmethod
    def backward(ctx: object, gradient: Tensor) -> tuple[Tensor, None]:
        """Straight through."""
        return gradient, None


class Textbook(nn.Module):
    """Encoder, binarizer, decoder and the additive loop."""

    def __init__(self, width: float = 1.0) -> None:
        super().__init__()

        def channels(*paper: int) -> list[int]:
            return [int(count * width) for count in paper]

        e, (d0, d1, d2, d3, d4) = channels(64, 256, 512, 512), channels(512, 512, 512, 256, 128)
        self.encoder_conv = nn.Conv2d(3, e[0], 3, stride=2, padding=1)
        self.encoder_cells = nn.ModuleList(
            TextbookLSTM(i, o, stride=2, hidden_kernel=1)
            for i, o in ((e[0], e[1]), (e[1], e[2]), (e[2], e[3]))
        )
        self.binarizer_conv = nn.Conv2d(e[3], BITS, 1)
        self.decoder_conv = nn.Conv2d(BITS, d0, 1)
        self.decoder_cells = nn.ModuleList(
            TextbookLSTM(i, o, stride=1, hidden_kernel=k)
            for i, o, k in ((d0, d1, 1), (d1 // 4, d2, 1), (d2 // 4, d3, 3), (d3 // 4, d4, 3))
        )
        self.shuffle = nn.PixelShuffle(2)
        self.output_conv = nn.Conv2d(d4 // 4, 3, 1)

    def forward(self, x: Tensor, noise: Tensor) -> Tensor:
        """Images (B, 3, H, W), noise (B, T, 32, H/16, W/16) -> mean absolute residual."""
        encoder_states: list[tuple[Tensor, Tensor] | None] = [None] * 3
        decoder_states: list[tuple[Tensor, Tensor] | None] = [None] * 4
        x_hat, loss = torch.zeros_like(x), x.new_zeros(())
        for t in range(noise.shape[1]):
            y = self.encoder_conv(x - x_hat)
            for k, cell in enumerate(self.encoder_cells):
                encoder_states[k] = cell(y, encoder_states[k] or cell.zeros(y))  # type: ignore[operator]
                y = encoder_states[k][0]  # type: ignore[index]
            code = Sign.apply(torch.tanh(self.binarizer_conv(y)), noise[:, t])
            y = self.decoder_conv(code)
            for k, cell in enumerate(self.decoder_cells):
                decoder_states[k] = cell(y, decoder_states[k] or cell.zeros(y))  # type: ignore[operator]
                y = self.shuffle(decoder_states[k][0])  # type: ignore[index]
            x_hat = x_hat + self.output_conv(y)
            loss = loss + (x - x_hat).abs().mean()
        return loss / noise.shape[1]

    def decode(self, codes: Tensor) -> Tensor:
        """Codes (B, T, 32, H/16, W/16) of -1 and +1 -> the picture (B, 3, H, W)."""
        states: list[tuple[Tensor, Tensor] | None] = [None] * 4
        size = len(codes), 3, 16 * codes.shape[3], 16 * codes.shape[4]
        x_hat = codes.new_zeros(size)
        for t in range(codes.shape[1]):
            y = self.decoder_conv(codes[:, t])
            for k, cell in enumerate(self.decoder_cells):
                states[k] = cell(y, states[k] or cell.zeros(y))  # type: ignore[operator]
                y = self.shuffle(states[k][0])  # type: ignore[index]
            x_hat = x_hat + self.output_conv(y)
        return x_hat
