"""The progressive entropy coder (paper section "progressive entropy coding")."""

import torch
from torch import Tensor

from rnncodec.entropy import fixed_point as fp
from rnncodec.entropy.binary_rnn import BinaryRNN
from rnncodec.entropy.model import LayerSpec, lstm, on_codes, square, windows
from rnncodec.geometry import BITS

NEIGHBOURS = square(1)  # 3x3


class Progressive(BinaryRNN):
    """The binary recurrent network that also remembers all earlier iterations.

    `past_t = tanh(W3x3 tanh(W3x3 b_t))`, `m_t = LSTM(past_t, m_{t-1})` over iterations,
    `state_t = tanh(V2 tanh(V1 m_t))`; the line LSTM of iteration t sees `(z_t, prior_t)` with
    `prior_t = tanh(W3x3 state_{t-1})`. The LSTM over iterations and V1, V2 are shared by all t.
    """

    @classmethod
    def specs(cls, iterations: int, hidden: int) -> dict[str, LayerSpec]:
        """The predictor of each iteration, which sees `prior` too, and the shared memory."""
        past = iterations - 1  # nothing follows the last iteration
        return cls._predictor(iterations, hidden, 2 * hidden) | {
            "past_a": on_codes(past, len(NEIGHBOURS) * BITS, hidden),
            "past_b": LayerSpec(past, len(NEIGHBOURS) * hidden, BITS),
            "memory": LayerSpec(1, BITS + hidden, 4 * hidden, fp.gate_table),
            "recall_a": LayerSpec(1, hidden, hidden),
            "recall_b": LayerSpec(1, hidden, BITS),
            "prior": LayerSpec(iterations, len(NEIGHBOURS) * BITS, hidden),
        }

    def _inputs(self, x: Tensor, exact: bool) -> Tensor:
        states = self._states(x, exact)
        prior = self.layers["prior"](windows(states, NEIGHBOURS), exact=exact)
        return torch.cat([super()._inputs(x, exact), prior.view(*x.shape[:4], -1)], dim=-1)

    def _states(self, x: Tensor, exact: bool) -> Tensor:
        """What iteration t knows of those before it, zero at first: (T, B, h, w, 32), as x."""
        past = self.layers["past_a"](windows(x[:-1], NEIGHBOURS), exact=exact)
        past = windows(past.view(*x[:-1].shape[:4], self.hidden), NEIGHBOURS)
        past = self.layers["past_b"](past, exact=exact)
        h = c = x.new_zeros(1, x[0, ..., 0].numel(), self.hidden)
        states = [torch.zeros_like(x[0])]
        for step in past.unbind(0):
            gates = self.layers["memory"](torch.cat([step[None], h], dim=-1), exact=exact)
            h, c = lstm(gates, c, exact=exact)
            state = self.layers["recall_a"](h, exact=exact)
            state = self.layers["recall_b"](state, exact=exact)
            states.append(state.view(x[0].shape))
        return torch.stack(states)
