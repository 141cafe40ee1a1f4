"""Ends a training that diverges, before a value that is not finite reaches a file."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import lightning as L
import torch
from lightning.pytorch.callbacks import Callback
from torch import Tensor
from torch.optim import Optimizer

from rnncodec.errors import DivergenceError
from rnncodec.models.model_file import not_finite
from rnncodec.training.distributed import mean_over_ranks


@dataclass(frozen=True)
class StepValues:
    """What shows whether a step is good.

    Attributes:
        step: its number, from 1.
        names: of the parameters that have a gradient.
        values: the loss, and the norm of each of these gradients; on the CPU.
        ready: when a GPU has written the values; None: they are there.
    """

    step: int
    names: Sequence[str]
    values: Tensor
    ready: torch.cuda.Event | None

    def check(self) -> None:
        """Wait for the values, and raise a DivergenceError if one is not finite."""
        if self.ready is not None:
            self.ready.synchronize()
        faults = []
        loss, norms = float(self.values[0]), self.values[1:]
        if not math.isfinite(loss):
            faults.append(f"the loss is {loss}")
        # as clipping sees it: the norm of all may overflow where none else does
        if not norms.norm().isfinite():
            each = zip(self.names, norms.isfinite().tolist(), strict=True)
            bad = [name for name, good in each if not good] or [self.names[int(norms.argmax())]]
            faults.append(f"the gradient of {named(bad)} is not finite")
        if faults:
            raise diverged(self.step, " and ".join(faults))


class StopIfDiverged(Callback):
    """Ends the training, on all ranks, at the first loss, gradient or weight that is not finite.

    One NaN among the gradients makes all of them NaN as their norm is clipped, and then all
    weights. On the CPU the step is not made. A GPU is not waited for: its step is looked at when
    it has the next one to do, and in any case before a checkpoint or a validation. A gradient
    scaler (16-mixed) leaves out steps whose gradients overflow, so with it they are not looked at.

    It has to stand behind a callback that averages weights, whose checkpoint has them twice.
    """

    def __init__(self) -> None:
        self.losses: list[Tensor] = []
        self.latest: StepValues | None = None

    def on_before_backward(
        self, trainer: L.Trainer, pl_module: L.LightningModule, loss: Tensor
    ) -> None:
        """Remember the loss; there are several where gradients are accumulated."""
        self.losses.append(loss.detach())

    def on_before_optimizer_step(
        self, trainer: L.Trainer, pl_module: L.LightningModule, optimizer: Optimizer
    ) -> None:
        """Look at the step before, and at this one where that takes no waiting."""
        self.check()
        gradients = {}
        if getattr(trainer.precision_plugin, "scaler", None) is None:
            parameters = pl_module.named_parameters()
            gradients = {name: p.grad for name, p in parameters if p.grad is not None}
        loss = mean_over_ranks(torch.stack(self.losses).sum())
        norms = torch._foreach_norm(list(gradients.values())) if gradients else ()
        self.losses = []
        values = torch.stack([loss.float(), *norms])
        self.latest = sent_to_host(trainer.global_step + 1, list(gradients), values)
        if self.latest.ready is None:
            self.check()

    def check(self, *_: Any, **__: Any) -> None:
        """Look at the latest step, once."""
        latest, self.latest = self.latest, None
        if latest is not None:
            latest.check()

    on_validation_start = check  # a bad step is named, and not what it makes of a validation

    def on_save_checkpoint(
        self, trainer: L.Trainer, pl_module: L.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Nothing is written, and the checkpoint before it stays, if a weight is not finite."""
        self.check()
        for key in ("current_model_state", "state_dict"):
            require_finite_weights(checkpoint.get(key, {}), trainer.global_step)


def sent_to_host(step: int, names: Sequence[str], values: Tensor) -> StepValues:
    """The values on their way to the CPU, without waiting for a GPU."""
    if values.device.type != "cuda":
        return StepValues(step, names, values.cpu(), None)
    copy = values.to("cpu", non_blocking=True)
    ready = torch.cuda.Event()
    ready.record()
    return StepValues(step, names, copy, ready)


def require_finite_weights(weights: Mapping[str, Tensor], step: int) -> None:
    """Raise a DivergenceError if a weight after a step is not finite."""
    if bad := not_finite(weights):
        raise diverged(step, f"{named(bad)} is not finite")


def named(names: Sequence[str]) -> str:
    """The first name, and how many follow."""
    return names[0] + (f" (and of {len(names) - 1} more)" if len(names) > 1 else "")


def diverged(step: int, what: str) -> DivergenceError:
    """The error for a training that diverged in a step, counted from 1."""
    return DivergenceError(
        f"training diverged at step {step}: {what}; what was saved before is kept; lower the "
        "learning rate or trainer.gradient_clip_val and choose another name="
    )
