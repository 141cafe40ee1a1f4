r"""Bits that an image's own gradient improves, at the price of time when encoding.

The encoder network answers at once, with what is best on average. For one image better bits can
be searched for (Campos et al. 2019, *Content Adaptive Optimization for Neural Image Compression*;
Yang et al. 2020, *Improving Inference for Neural Image Compression*). Here the encoder's
expectation of every bit gets a *nudge*

.. math:: b_t = \mathrm{sign}(p_t(x - \hat x_{t-1}) + \delta_t)

and all nudges :math:`\delta` go down the gradient of the loss through the whole loop, sign
straight through, network untouched: the encoder goes on answering to what the changed bits of
earlier iterations made of the picture. (Searched for without it, later bits no longer fit the
picture, and every step makes it worse.) The decoder is as before, and so is the file.
"""

import dataclasses
import math
from collections.abc import Callable
from dataclasses import dataclass
from numbers import Integral

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from rnncodec.errors import ConfigError
from rnncodec.geometry import BITS, BLOCK
from rnncodec.images.windowed_similarity import SMALLEST, l1_ms_ssim
from rnncodec.machine.devices import gains_from_bf16
from rnncodec.network.autoencoder import Network, straight_through
from rnncodec.network.cells import State
from rnncodec.network.unroll import AdaptiveSender, Decoding, Sender

MOST_STEPS = 1000
RATE, LAST_RATE = 0.02, 0.003
"""Length of a step, from the first to the last: of bits whose gradient is an average one, whose
expectation lies between -1 and 1."""
MOMENTUM = 0.6
KEPT = 2 << 30
"""Bytes of what backward needs that wait for it; what it needs of later iterations is computed
again then, for half as much time again."""


@dataclass(frozen=True)
class Effort:
    """How long to search for better bits.

    Attributes:
        steps: of gradient descent, each of which takes twice as long as encoding, four times
            where bf16 is not in hardware; with the compact model 4 or 9 GiB a Mpixel, and 2 more.
        last_only: only the picture after the last iteration counts, not all alike.
        progress: told (steps done, steps in all), for each image and tile.

    Raises:
        ConfigError: steps that are no whole number from 1 to 1000.
    """

    steps: int
    last_only: bool = False
    progress: Callable[[int, int], None] | None = None

    def __post_init__(self) -> None:
        steps: object = self.steps  # whatever a caller without a type checker gives
        if not isinstance(steps, Integral) or not 1 <= int(steps) <= MOST_STEPS:
            raise ConfigError(f"effort={steps}: expected a whole number of steps, 1 to 1000")

    def for_last(self) -> "Effort":
        """The same for the picture after the last iteration alone."""
        return dataclasses.replace(self, last_only=True)

    def codes(
        self,
        network: Network,
        x: Tensor,
        size: tuple[int, int],
        iterations: int,
        ends: Tensor | None = None,
    ) -> Tensor:
        """Search for the codes of images.

        Args:
            network: the codec.
            x: (B, 3, H, W) in [-0.5, 0.5], sides multiples of 16.
            size: height and width of what of it is seen.
            iterations: how many.
            ends: how many of them each position sends, (B, 1, H/16, W/16); None: all.

        Returns:
            (B, T, 32, H/16, W/16) in {-1, +1}, 0 where a position has ended; never worse, by the
            loss and in the precision that is searched with, than what the encoder says at once.
        """
        # What bf16 leaves of the gradient is enough, in half the time; as in training.
        fast = torch.autocast(x.device.type, torch.bfloat16, enabled=gains_from_bf16(x.device))
        with torch.inference_mode(mode=False), torch.enable_grad(), fast:
            found = [  # of copies: tensors of an inference mode outside have no gradients
                Search(
                    network,
                    x[k : k + 1].clone(),
                    size,
                    iterations,
                    effort=self,
                    ends=None if ends is None else ends[k : k + 1].clone(),
                ).codes()
                for k in range(len(x))
            ]
        return torch.cat(found)


class NudgedSender(Sender):
    """A sender whose expectations are nudged; see the module.

    Args:
        network: the codec.
        x: images (B, 3, H, W) in [-0.5, 0.5]; H and W multiples of 16.
        nudge: of the next code, (B, 32, H/16, W/16).
    """

    def __init__(self, network: Network, x: Tensor, nudge: Tensor) -> None:
        super().__init__(network, x)
        self.nudge = nudge

    def binarize(self, t: int, features: Tensor) -> Tensor:
        """What the encoder saw, (B, C, h, w), and the nudge -> code (B, 32, h, w)."""
        p = self.network.binarizer.expectation(features) + self.nudge
        return straight_through(p, p >= 0)


class Search:
    """Gradient descent on the nudges of one image (1, 3, H, W); see :class:`Effort`.

    The geometric mean over the iterations is what counts: a percent of any loss is worth the
    same. Each iteration's gradient is scaled to a mean of 1, since early bits move all later
    pictures, and one rate has to do for all.
    """

    def __init__(
        self,
        network: Network,
        x: Tensor,
        size: tuple[int, int],
        iterations: int,
        *,
        effort: Effort,
        ends: Tensor | None = None,
    ) -> None:
        self.network = network
        self.x = x
        self.height, self.width = size
        self.iterations = iterations
        self.effort = effort
        self.ends = ends

    def codes(self) -> Tensor:
        """The best of the codes (1, T, 32, H/16, W/16) that were passed by."""
        h, w = (side // BLOCK for side in self.x.shape[-2:])
        nudges = [
            self.x.new_zeros(1, BITS, h, w, requires_grad=True) for _ in range(self.iterations)
        ]
        velocities = [torch.zeros_like(nudge) for nudge in nudges]
        steps, best, least = self.effort.steps, None, math.inf
        for step in range(steps + 1):
            last = step == steps
            with torch.set_grad_enabled(not last):
                codes, loss = self.run(nudges)
            if best is None or loss.item() < least:
                best, least = codes, loss.item()
            if not last:
                # Once all positions have ended, nudges have no part in the loss.
                gradients = torch.autograd.grad(
                    loss, nudges, allow_unused=True, materialize_grads=True
                )
                rate = RATE * (LAST_RATE / RATE) ** (step / steps)
                descend(nudges, gradients, velocities, rate=rate)
                if self.effort.progress is not None:
                    self.effort.progress(step + 1, steps)
        assert best is not None
        return best

    def run(self, nudges: list[Tensor]) -> tuple[Tensor, Tensor]:
        """All iterations: the codes (1, T, 32, h, w), and the loss, scalar."""
        x_hat: Tensor | None = None
        seen: list[State] | None = None
        shown: list[State] | None = None
        codes, losses, kept = [], [], Kept()
        for t, nudge in enumerate(nudges):
            given = (t, nudge, x_hat, seen, shown)
            if kept.room():
                with kept:
                    code, x_hat, seen, shown, loss = self.iteration(*given)
            else:
                code, x_hat, seen, shown, loss = checkpoint(
                    self.iteration, *given, use_reentrant=False, preserve_rng_state=False
                )
            codes.append(code.detach())
            losses.append(loss)
        counts = losses[-1:] if self.effort.last_only else losses
        return torch.stack(codes, dim=1), torch.stack(counts).clamp(min=1e-9).log().mean()

    def iteration(
        self,
        t: int,
        nudge: Tensor,
        x_hat: Tensor | None,
        seen: list[State] | None,
        shown: list[State] | None,
    ) -> tuple[Tensor, Tensor, list[State] | None, list[State] | None, Tensor]:
        """Code, picture, states of encoder and decoder, loss of iteration ``t`` (from 0)."""
        sender = NudgedSender(self.network, self.x, nudge)
        source = sender if self.ends is None else AdaptiveSender(sender, self.ends)
        decoding = Decoding(self.network, adaptive=self.ends is not None)
        sender.states, decoding.states = seen, shown
        gain = self.network.recon.gain(t, x_hat)
        code = source(t, x_hat, gain)
        x_hat = decoding.run(t, code, x_hat, gain)
        return code, x_hat, sender.states, decoding.states, self.loss(x_hat)

    def loss(self, x_hat: Tensor) -> Tensor:
        """Of the part that is seen: the packaged models' own loss, or L1 where it is too small."""
        x, y = (image[..., : self.height, : self.width] for image in (self.x, x_hat))
        if min(self.height, self.width) < SMALLEST:
            return (x - y).abs().mean()
        return l1_ms_ssim(x, y)


class Kept(torch.autograd.graph.saved_tensors_hooks):
    """Counts what is saved for backward, iteration by iteration, each entered once."""

    def __init__(self) -> None:
        super().__init__(self._count, lambda tensor: tensor)
        self.storages: set[int] = set()
        self.bytes = 0
        self.before = 0

    def __enter__(self) -> None:
        self.before = self.bytes
        super().__enter__()

    def _count(self, tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in self.storages:  # all of them live until backward
            self.storages.add(storage.data_ptr())
            self.bytes += storage.nbytes()
        return tensor

    def room(self) -> bool:
        """Whether one iteration more, like the one before, would fit."""
        return 2 * self.bytes - self.before <= KEPT


@torch.no_grad()
def descend(
    nudges: list[Tensor], gradients: tuple[Tensor, ...], velocities: list[Tensor], *, rate: float
) -> None:
    """One step of gradient descent with momentum, in place; an iteration's bits share a scale."""
    for nudge, gradient, velocity in zip(nudges, gradients, velocities, strict=True):
        sent = gradient.count_nonzero().clamp(min=1)  # nothing reaches what is not
        size = (gradient.abs().sum() / sent).clamp(min=1e-30)
        velocity.mul_(MOMENTUM).add_(gradient / size)
        nudge.sub_(rate * velocity)
