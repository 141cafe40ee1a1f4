"""One step of gradient descent; see :mod:`rnncodec.coding.latent_optimization`."""

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d

EMPHASIS = 2.5
"""Power of the gradient, against its surroundings, that a step goes by: every bit that turns
disturbs the others, so it is best if those turn that bring most."""


@torch.no_grad()
def descend(deltas: list[Tensor], gradients: tuple[Tensor, ...], rates: list[float]) -> None:
    r"""One step of gradient descent, in place, on deltas (1, 32, h, w) of one iteration each.

    A bit goes by its gradient against the mean :math:`m` of those around it,
    :math:`(|g| / m)^{2.5} \sqrt m`, so that all parts of a picture are searched: by the gradient
    alone the few blocks in which it is largest would take nearly all of a step.
    """
    for delta, gradient, rate in zip(deltas, gradients, rates, strict=True):
        size = gradient.abs() / gradient.abs().max().clamp(min=1e-30)
        sent = (gradient != 0).to(size.dtype)  # nothing reaches what is not
        around = neighbourhood(size) / neighbourhood(sent).clamp(min=1e-30)
        strength = (size / around.clamp(min=1e-30)) ** EMPHASIS * around.sqrt()
        mean = (strength.sum() / sent.sum().clamp(min=1)).clamp(min=1e-30)
        delta.sub_(rate * gradient.sign() * strength / mean)


def neighbourhood(x: Tensor) -> Tensor:
    """Mean over all bits of a position and the eight around it: (1, 32, h, w) -> (1, 1, h, w)."""
    return avg_pool2d(x.mean(dim=1, keepdim=True), 3, stride=1, padding=1)
