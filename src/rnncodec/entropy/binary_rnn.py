"""The binary recurrent network of the paper's section "single iteration entropy coder"."""

import torch
from torch import Tensor
from torch.nn.functional import pad

from rnncodec.entropy import fixed_point as fp
from rnncodec.entropy.model import (
    EntropyModel,
    Layer,
    LayerSpec,
    activate,
    before,
    lstm,
    on_codes,
    windows,
)
from rnncodec.geometry import BITS

CONTEXT = before(3)  # the 7x7 mask without its centre
LINE = [(0, -1), (0, 0)]  # the 1x3 mask with its centre


class BinaryRNN(EntropyModel):
    """Each iteration by itself: a masked 7x7 convolution, an LSTM down the rows, two 1x1 layers.

    `z = tanh(W7x7 b)`, `h_y, c_y = LSTM(W1x3 z_y + U1x3 h_{y-1}, c_{y-1})`,
    `P(b = +1) = sigmoid(V2 tanh(V1 h_y))`. Every iteration has its own weights.
    """

    @classmethod
    def specs(cls, iterations: int, hidden: int) -> dict[str, LayerSpec]:
        """The predictor of each iteration."""
        return cls._predictor(iterations, hidden, hidden)

    @staticmethod
    def _predictor(iterations: int, hidden: int, inputs: int) -> dict[str, LayerSpec]:
        fan_in = len(LINE) * inputs + 3 * hidden
        return {
            "context": on_codes(iterations, len(CONTEXT) * BITS, hidden),
            "line": LayerSpec(iterations, fan_in, 4 * hidden, fp.gate_table),
            "output": LayerSpec(iterations, hidden, hidden),
            "logits": LayerSpec(iterations, hidden, BITS, fp.probability_table),
        }

    def forward(self, codes: Tensor, *, exact: bool = False) -> Tensor:
        """As `EntropyModel.forward`: (B, T, 32, h, w) -> logits of that shape."""
        self._check(codes)
        x = codes.permute(1, 0, 3, 4, 2)
        h = self._lines(self._inputs(x, exact), exact)
        weight, bias = self._layer("logits").maps(len(x), exact=exact)
        logits = torch.baddbmm(bias, self.layers["output"](h, exact=exact), weight)
        if exact:
            logits = fp.round_half_up(logits, 8, 4096)
        return logits.view(x.shape).permute(1, 0, 4, 2, 3)

    def _layer(self, name: str) -> Layer:
        layer = self.layers[name]
        assert isinstance(layer, Layer)
        return layer

    def _inputs(self, x: Tensor, exact: bool) -> Tensor:
        """What the line LSTM sees of codes (T, B, h, w, 32): (T, B, h, w, hidden)."""
        z: Tensor = self.layers["context"](windows(x, CONTEXT), exact=exact)
        return z.view(*x.shape[:4], -1)

    def _lines(self, z: Tensor, exact: bool) -> Tensor:
        """The line LSTM over rows: (T, B, h, w, C) -> (T, B*h*w, hidden)."""
        T, B, height, width, channels = z.shape
        weight, bias = self._layer("line").maps(T, exact=exact)
        # Split and unbound once: the gradient of an index is a whole tensor of zeros, each time.
        across, down = weight.split([len(LINE) * channels, 3 * self.hidden], dim=1)
        inputs = torch.baddbmm(bias, windows(z, LINE), across)
        h = c = z.new_zeros(T, B, width, self.hidden)
        rows = []
        for row in inputs.view(T, B, height, width, -1).unbind(2):
            above = pad(h, (0, 0, 1, 1)).unfold(2, 3, 1).transpose(-1, -2)
            u = torch.bmm(above.reshape(T, B * width, -1), down)
            u = u.view(T, B, width, -1) + row
            h, c = lstm(activate(u, fp.gate_table(), exact=exact), c, exact=exact)
            rows.append(h)
        return torch.stack(rows, dim=2).view(T, -1, self.hidden)
