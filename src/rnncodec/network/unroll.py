"""The iteration of section 3, equations 1-3, once: training, encoding and decoding all run it.

Past the paper (Johnston et al. 2018, *Improved Lossy Image Compression with Priming and Spatially
Adaptive Bit Rates*), a network may run its parts several times on the same input and keep the
last output and the states only. Intermediate outputs are discarded; extra runs cost time, not
bits. With *priming* p the encoder looks p + 1 times at its first input before it sends
the first code, and the decoder at the first code, so that neither starts cold and both see
further than one run of their convolutions does. With *diffusion* d the decoder looks d more times
at every code::

    encoder runs = 1 + p at t = 0, 1 later        decoder runs = 1 + d + p at t = 0, 1 + d later
"""

from collections.abc import Callable, Iterator
from contextlib import nullcontext
from functools import partial
from typing import TypeAlias

import torch
from torch import Tensor

from rnncodec.geometry import BITS, BLOCK
from rnncodec.network.autoencoder import Decoder, Encoder, Network, straight_through
from rnncodec.network.cells import State

CodeSource: TypeAlias = Callable[[int, Tensor | None, Tensor | None], Tensor]
"""``source(t, x_hat, gain) -> code``: where the bits of iteration t come from."""


class Iteration:
    """The outcome of one iteration.

    Args:
        code: ``b_t``, (B, 32, H/16, W/16), in {-1, +1}; 0 where a block sends nothing.
        decode: what the decoder makes of it.
        before: the reconstruction before this iteration; None in the first.
    """

    def __init__(
        self, code: Tensor, decode: Callable[[], Tensor], before: Tensor | None = None
    ) -> None:
        self.code = code
        self.before = before
        self._decode = decode
        self._x_hat: Tensor | None = None

    @property
    def x_hat(self) -> Tensor:
        """The reconstruction after this iteration, (B, 3, H, W), unclipped, [-0.5, 0.5].

        The decoder runs when it is asked for, here or by the next iteration: who wants codes only
        does not pay for the last picture.
        """
        # functools.cached_property has one lock for all objects before Python 3.12: threads would
        # wait for each other's decoders, and a child that is forked meanwhile for ever.
        if self._x_hat is None:
            self._x_hat = self._decode()
        return self._x_hat


class EncoderLoop:
    """The encoder's side: looks at the residual and says which bits to send.

    Args:
        network: the codec.
        x: images (B, 3, H, W) in [-0.5, 0.5]; H and W multiples of 16.
        noise: uniform in [0, 1), (B, T, 32, H/16, W/16), for the stochastic binarizer of
            training; None at inference.
        delta: added to the expectations of the bits before their sign is taken,
            (B, 32, H/16, W/16); see :mod:`rnncodec.coding.latent_optimization`.
        ends: how many iterations each block is active in, 1 or more, (B, 1, H/16, W/16); None:
            all. Where a block has stopped its code is 0, and its residual is not shown to the
            encoder: nothing can be done about it any more, and its neighbours do better without.
    """

    def __init__(
        self,
        network: Network,
        x: Tensor,
        noise: Tensor | None = None,
        *,
        delta: Tensor | None = None,
        ends: Tensor | None = None,
    ) -> None:
        assert x.shape[-2] % BLOCK == 0, x.shape
        assert x.shape[-1] % BLOCK == 0, x.shape
        self.network = network
        self.x = x
        self.noise = noise
        self.delta = delta
        self.ends = ends
        self.states: list[State] | None = None

    def __call__(self, t: int, x_hat: Tensor | None, gain: Tensor | None) -> Tensor:
        """Iteration ``t`` (from 0), the picture so far and its gain -> code (B, 32, h, w)."""
        active = None if self.ends is None else self.ends > t
        if active is not None:
            if not active.any():
                b, _, h, w = active.shape
                return self.x.new_zeros(b, BITS, h, w)
            if x_hat is not None:
                x_hat = torch.where(over_blocks(active), x_hat, self.x)
        residual = self.x if x_hat is None else self.x - x_hat
        scaled = residual if gain is None else residual * gain
        runs = 1 + (self.network.priming if t == 0 else 0)
        features, self.states = repeat(self.network.encoder, scaled, self.states, runs=runs)
        code: Tensor
        if self.delta is None:
            code = self.network.binarizer(
                features, None if self.noise is None else self.noise[:, t]
            )
        else:
            p = self.network.binarizer.expectation(features) + self.delta
            code = straight_through(p, p >= 0)
        return code if active is None else code * active


def iterate(
    network: Network, source: CodeSource, iterations: int, *, adaptive: bool = False
) -> Iterator[Iteration]:
    """Run the codec for ``iterations``, taking each iteration's bits from ``source``.

    With an :class:`EncoderLoop` this encodes (or trains); with received codes it decodes, and no
    encoder runs. If it is ``adaptive``, a code of 0 says that a block has stopped: its picture
    stays as it is (Johnston et al. 2018).
    """
    decoder = DecoderLoop(network, adaptive=adaptive)
    step: Iteration | None = None
    for t in range(iterations):
        x_hat = None if step is None else step.x_hat
        gain = network.recon.gain(t, x_hat)
        code = source(t, x_hat, gain)
        step = Iteration(code, partial(decoder.run, t, code, x_hat, gain), x_hat)
        yield step


class DecoderLoop:
    """The decoder's side: codes to pictures, with the states in between.

    Args:
        network: the codec.
        adaptive: whether a code of 0 says that a block has stopped.
    """

    def __init__(self, network: Network, *, adaptive: bool) -> None:
        self.network = network
        self.adaptive = adaptive
        self.states: list[State] | None = None
        self.mode = torch.inference_mode if torch.is_inference_mode_enabled() else nullcontext

    def run(self, t: int, code: Tensor, x_hat: Tensor | None, gain: Tensor | None) -> Tensor:
        """The picture (B, 3, H, W) after iteration ``t``, from its code and the one before."""
        with self.mode():  # a picture may be asked for elsewhere than its code was made
            active = code[:, :1] != 0 if self.adaptive and x_hat is not None else None
            if active is not None and x_hat is not None and not active.any():
                return x_hat
            runs = 1 + (self.network.priming if t == 0 else 0) + self.network.diffusion
            decoded, self.states = repeat(self.network.decoder, code, self.states, runs=runs)
            combined = self.network.recon.combine(x_hat, decoded.float(), gain)
            if active is None or x_hat is None:
                return combined
            return torch.where(over_blocks(active), combined, x_hat)


def over_blocks(positions: Tensor) -> Tensor:
    """A map of blocks (B, C, h, w) as one of pixels, (B, C, 16 h, 16 w)."""
    return positions.repeat_interleave(BLOCK, -2).repeat_interleave(BLOCK, -1)


def repeat(
    part: Encoder | Decoder, x: Tensor, states: list[State] | None, *, runs: int
) -> tuple[Tensor, list[State]]:
    """Run the encoder or the decoder ``runs`` times on ``x`` -> the last output, the states."""
    y, states = part(x, states)
    for _ in range(runs - 1):
        y, states = part(x, states)
    return y, states


def unroll(
    network: Network, x: Tensor, *, iterations: int, noise: Tensor | None = None
) -> Iterator[Iteration]:
    """Encode ``x`` (B, 3, H, W) in [-0.5, 0.5], H and W multiples of 16, step by step.

    Examples:
        >>> import torch
        >>> from rnncodec.network.cells.gru import GRU
        >>> from rnncodec.network.recon.additive import Additive
        >>> network = Network(GRU, Additive, width=0.125)
        >>> steps = list(unroll(network, torch.zeros(1, 3, 32, 48), iterations=2))
        >>> steps[-1].code.shape, steps[-1].x_hat.shape
        (torch.Size([1, 32, 2, 3]), torch.Size([1, 3, 32, 48]))
    """
    return iterate(network, EncoderLoop(network, x, noise), iterations)
