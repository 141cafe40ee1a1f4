r"""Bits that an image's own gradient improves, at the price of time when encoding.

The encoder network answers at once, with what is best on average. For one image better bits can
be searched for (Campos et al. 2019, *Content Adaptive Optimization for Neural Image Compression*;
Yang et al. 2020, *Improving Inference for Neural Image Compression*). Here the encoder's
expectation of every bit gets a *delta*

.. math:: b_t = \mathrm{sign}(p_t(x - \hat x_{t-1}) + \delta_t)

and the deltas :math:`\delta` descend the gradient of the loss through the loop, sign straight
through, network untouched: the encoder still sees what the changed bits of earlier iterations
made of the picture. (Without that, later bits no longer fit, and every step makes it worse.)
Iteration by iteration the bits found become final. Decoder and file format are unchanged.

Bits found for the picture alone are less predictable than the encoder's own, and take more bytes.
So the loss is that of the picture and of the rate,

.. math:: \ln D_t + s_t R_t

where :math:`D_t` is the distortion after iteration t by the metrics that the search is for,
:math:`R_t` the bits until then by the entropy model, and :math:`s_t` the slope of the image's own
curve :math:`-\ln D` over :math:`R`, when the encoder answers at once.
"""

import dataclasses
import math
from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, pad
from torch.utils.checkpoint import checkpoint

from rnncodec.entropy import EntropyModel
from rnncodec.entropy.rate import LEAST, slopes, spent
from rnncodec.errors import ConfigError
from rnncodec.geometry import BITS, BLOCK
from rnncodec.images.distortion import SEARCH_LOSSES, weighted_sum
from rnncodec.machine.devices import gains_from_bf16
from rnncodec.network.autoencoder import Network
from rnncodec.network.cells import State
from rnncodec.network.unroll import DecoderLoop, EncoderLoop
from rnncodec.validation import is_whole

MOST_STEPS = 1000
HORIZON = 4
"""Look-ahead. The bits of iteration t are optimised for reconstructions t..t+HORIZON-1; with
``last_only``, for t..T."""
STEP, FINAL_STEP = 0.036, 0.0018
"""Mean length of a step, from the first to the last; expectations lie between -1 and 1."""
EMPHASIS = 2.5
"""Power of the gradient, against its surroundings, that a step goes by: every bit that turns
disturbs the others, so it is best if those turn that bring most."""
BUDGET = 2 << 30
"""Activation-memory budget in bytes. Later iterations are recomputed in backward (checkpointing),
which adds about 50 % time."""


@dataclass(frozen=True)
class Effort:
    """How long to search for better bits, and better by which metric.

    Attributes:
        steps: of gradient descent for the bits of each iteration.
        metric: what the search is for, a key of ``SEARCH_LOSSES``.
        last_only: only the picture after the last iteration counts, not all alike.
        entropy: what the bits cost, by its gradient, see
            :func:`rnncodec.entropy.smooth`; None: all the same.
        progress: called with (steps done, steps in all), for each image and tile.

    Raises:
        ConfigError: steps that are no whole number from 1 to 1000; an unknown metric; a progress
            that is no function.
    """

    steps: int
    metric: str = "ms_ssim"
    last_only: bool = False
    entropy: EntropyModel | None = None
    progress: Callable[[int, int], None] | None = None

    def __post_init__(self) -> None:
        if not is_whole(self.steps) or not 1 <= self.steps <= MOST_STEPS:
            raise ConfigError(f"effort={self.steps}: expected a whole number of steps, 1 to 1000")
        if not isinstance(self.metric, str) or self.metric not in SEARCH_LOSSES:
            raise ConfigError(
                f"effort_for={self.metric}: expected one of {', '.join(SEARCH_LOSSES)}"
            )
        if self.progress is not None and not callable(self.progress):
            raise ConfigError(
                f"progress={self.progress!r}: expected a function of (steps done, steps in all)"
            )

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
            size: height and width of the part that is visible.
            iterations: how many.
            ends: how many of them each block is active in, (B, 1, H/16, W/16); None: all.

        Returns:
            (B, T, 32, H/16, W/16) in {-1, +1}, 0 where a block has stopped; never worse, by the
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


@dataclass(frozen=True)
class LoopState:
    """Of the iterations so far: what was sent, and what the next one starts from.

    Attributes:
        codes: of each iteration, (1, 32, h, w).
        losses: distortion of the picture after each, scalars.
        x_hat: the last picture; None before the first iteration.
        encoder_states, decoder_states: states of encoder and decoder.
    """

    codes: list[Tensor] = field(default_factory=list)
    losses: list[Tensor] = field(default_factory=list)
    x_hat: Tensor | None = None
    encoder_states: list[State] | None = None
    decoder_states: list[State] | None = None

    def detached(self) -> "LoopState":
        """The same without what backward would need."""

        def states(given: list[State] | None) -> list[State] | None:
            return given and [tuple(x.detach() for x in state) for state in given]

        return LoopState(
            [code.detach() for code in self.codes],
            [loss.detach() for loss in self.losses],
            None if self.x_hat is None else self.x_hat.detach(),
            states(self.encoder_states),
            states(self.decoder_states),
        )


class Search:
    """Gradient descent on the deltas of one image (1, 3, H, W), iteration by iteration.

    A changed bit changes what the encoder answers from then on. If all bits stay free, each step
    flips about 10 % of them and progress stalls. So the deltas of an iteration and of the next
    ones, its *horizon*, descend together, in ever shorter steps; then the iteration's bits are
    final, and the search continues from what they lead to.

    The geometric mean over pictures counts: a percent of any distortion is worth the same; the
    rate is added in these terms (see the module). Each iteration's steps have the same mean
    length, since early bits move all later pictures. They have no momentum: what an earlier step
    asked for is soon out of date.
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
        self.unsent = 0 if ends is None else max(0, iterations - int(ends.max()))
        self.iterations = iterations - self.unsent
        self.effort = effort
        self.ends = ends
        self.horizon = self.iterations if effort.last_only else HORIZON
        h, w = (side // BLOCK for side in x.shape[-2:])
        self.deltas = [
            x.new_zeros(1, BITS, h, w, requires_grad=True) for _ in range(self.iterations)
        ]
        self.rate_weight = torch.zeros(self.iterations, device=x.device)

    def codes(self) -> Tensor:
        """Those found (1, T, 32, H/16, W/16), or the encoder's own if they are better."""
        with torch.no_grad():
            plain = self.run_all(self.iteration)
            self.rate_weight = self.rate_weights(plain)
        found = self.run_all(self.optimize_iteration)
        with torch.no_grad():
            best = found if self.objective(found) < self.objective(plain) else plain
        codes = torch.stack(best.codes, dim=1)
        return pad(codes, (0, 0, 0, 0, 0, 0, 0, self.unsent))

    def run_all(self, iteration: Callable[[int, LoopState], LoopState]) -> LoopState:
        """All iterations, one after the other."""
        state = LoopState()
        for t in range(self.iterations):
            state = iteration(t, state)
        return state

    def optimize_iteration(self, t: int, before: LoopState) -> LoopState:
        """Search for the bits of iteration ``t``, after what came before."""
        end = min(t + self.horizon, self.iterations)
        ahead, steps = range(t, end), self.effort.steps
        best, least = None, math.inf
        for step in range(steps + 1):
            last = step == steps
            with torch.set_grad_enabled(not last):
                states = self.run(t, end, before)
                loss = self.objective(states[-1], t)
            if best is None or loss.item() < least:
                best, least = states[0].detached(), loss.item()
                best_deltas = [self.deltas[k].detach().clone() for k in ahead]
            if not last:
                deltas = [self.deltas[k] for k in ahead]
                # Where a block has stopped its deltas have no part in the loss.
                gradients = torch.autograd.grad(
                    loss, deltas, allow_unused=True, materialize_grads=True
                )
                descend(deltas, gradients, [self.step_size(k, t, step) for k in ahead])
                if self.effort.progress is not None:
                    self.effort.progress(t * steps + step + 1, self.iterations * steps)
        with torch.no_grad():
            for k, delta in zip(ahead, best_deltas, strict=True):
                self.deltas[k].copy_(delta)
        assert best is not None
        return best

    def step_size(self, k: int, t: int, step: int) -> float:
        """Of the deltas of iteration ``k`` while the bits of ``t`` are searched for.

        Half a cosine, from the first step in which they take part to their last.
        """
        first = max(0, k - self.horizon + 1)
        steps = self.effort.steps
        done = ((t - first) * steps + step) / ((k - first + 1) * steps)
        return FINAL_STEP + (STEP - FINAL_STEP) * (1 + math.cos(math.pi * done)) / 2

    def objective(self, state: LoopState, first: int = 0) -> Tensor:
        """Mean of ``ln D + s R`` over the pictures that count, from iteration ``first`` on."""
        losses = torch.stack(state.losses[first:]).clamp(min=LEAST).log()
        weights = self.rate_weight[first : first + len(losses)]
        costs = losses + weights * self.rate_bits(state)[first:]
        return (costs[-1:] if self.effort.last_only else costs).mean()

    def rate_bits(self, state: LoopState) -> Tensor:
        """Bits until the end of each iteration, see :func:`rnncodec.entropy.rate.spent`: (T,)."""
        return spent(self.effort.entropy, torch.stack(state.codes, dim=1))

    def rate_weights(self, state: LoopState) -> Tensor:
        """What bits are worth, see :func:`rnncodec.entropy.rate.slopes`: (T,)."""
        losses = torch.stack([self.loss(torch.zeros_like(self.x)), *state.losses])
        return slopes(losses, self.rate_bits(state))

    def run(self, first: int, end: int, before: LoopState) -> list[LoopState]:
        """Iterations ``first`` to ``end`` (exclusive), after what came before."""
        states, budget = [], ActivationBudget()
        for t in range(first, end):
            if budget.has_room():
                with budget:
                    before = self.iteration(t, before)
            else:
                before = checkpoint(
                    self.iteration, t, before, use_reentrant=False, preserve_rng_state=False
                )
            states.append(before)
        return states

    def iteration(self, t: int, before: LoopState) -> LoopState:
        """Iteration ``t`` (from 0) with its deltas as they are, after what came before."""
        encoder = EncoderLoop(self.network, self.x, delta=self.deltas[t], ends=self.ends)
        decoder = DecoderLoop(self.network, adaptive=self.ends is not None)
        encoder.states, decoder.states = before.encoder_states, before.decoder_states
        gain = self.network.recon.gain(t, before.x_hat)
        code = encoder(t, before.x_hat, gain)
        x_hat = decoder.run(t, code, before.x_hat, gain)
        codes, losses = [*before.codes, code], [*before.losses, self.loss(x_hat)]
        return LoopState(codes, losses, x_hat, encoder.states, decoder.states)

    def loss(self, x_hat: Tensor) -> Tensor:
        """Distortion of the visible part, by what the search is for: scalar."""
        x, y = (image[..., : self.height, : self.width] for image in (self.x, x_hat))
        sums = [weighted_sum(x, y, weights) for weights in SEARCH_LOSSES[self.effort.metric]]
        if len(sums) == 1:
            return sums[0]
        return torch.stack(sums).clamp(min=LEAST).log().mean().exp()


@torch.no_grad()
def descend(deltas: list[Tensor], gradients: tuple[Tensor, ...], rates: list[float]) -> None:
    r"""One step of gradient descent, in place, on deltas (1, 32, h, w) of one iteration each.

    A bit goes by its gradient against the mean :math:`m` of those around it,
    :math:`(|g| / m)^{2.5} \sqrt m`, so that all parts of a picture are searched: by the gradient
    alone the few blocks in which it is largest would take nearly all of a step.
    """

    def neighbourhood(x: Tensor) -> Tensor:  # a block and the eight around it: (1, 1, h, w)
        return avg_pool2d(x.mean(dim=1, keepdim=True), 3, stride=1, padding=1)

    for delta, gradient, rate in zip(deltas, gradients, rates, strict=True):
        size = gradient.abs() / gradient.abs().max().clamp(min=1e-30)
        sent = (gradient != 0).to(size.dtype)  # nothing reaches what is not
        around = neighbourhood(size) / neighbourhood(sent).clamp(min=1e-30)
        strength = (size / around.clamp(min=1e-30)) ** EMPHASIS * around.sqrt()
        mean = (strength.sum() / sent.sum().clamp(min=1)).clamp(min=1e-30)
        delta.sub_(rate * gradient.sign() * strength / mean)


class ActivationBudget(torch.autograd.graph.saved_tensors_hooks):
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

    def has_room(self) -> bool:
        """Whether one iteration more, like the one before, would fit."""
        return 2 * self.bytes - self.before <= BUDGET
