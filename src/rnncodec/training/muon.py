"""Muon for the matrices inside the cells, Adam for everything else (Jordan et al. 2024)."""

from collections.abc import Iterable

from pytorch_optimizer import Muon
from torch import nn
from torch.optim import Optimizer

CELLS = ".cells."
"""In the names of the weights that Muon takes: the convolutions between hidden channels."""


def muon(
    parameters: Iterable[tuple[str, nn.Parameter]],
    *,
    lr: float,
    adam_lr: float,
    momentum: float = 0.95,
    adam_betas: tuple[float, float] = (0.9, 0.999),
) -> Optimizer:
    """Replace the update of each hidden matrix by the nearest one with equal singular values.

    Plain Adam mostly follows the few directions that the first iterations share; the late
    iterations of a codec live in the many weak ones (docs/experiments/0002). A convolution counts
    as a matrix (out, in x kernel x kernel). The weights at the network's ends, which are no maps
    between hidden channels, and the biases go to Adam.

    Args:
        parameters: of the whole network, with their names.
        lr: about the length of each singular value of an update (a few steps of an iteration
            bring them near each other), times sqrt(max(1, rows / columns)) of its matrix; the
            weights' own start at about 1.
        adam_lr: of Adam.
        momentum: of Muon.
        adam_betas: of Adam.
    """
    named = list(parameters)
    matrices = [p for name, p in named if CELLS in name and p.ndim > 1]
    others = [p for name, p in named if CELLS not in name or p.ndim == 1]
    return Muon(
        [
            {"params": matrices, "use_muon": True, "lr": lr, "momentum": momentum},
            {"params": others, "use_muon": False, "lr": adam_lr, "betas": adam_betas},
        ]
    )
