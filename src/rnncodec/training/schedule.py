"""The learning rate: a function of the step and of the share of the budget that is used."""

import math
from dataclasses import dataclass
from typing import Any

import lightning as L
from lightning.pytorch.callbacks import Callback, Timer

from rnncodec.errors import ConfigError
from rnncodec.training.distributed import of_main


@dataclass(frozen=True)
class WarmupCosine:
    """Linear warm-up over the first steps, then a half cosine down to ``final``.

    The cosine follows whichever budget is further used up, ``trainer.max_steps`` or
    ``trainer.max_time``, so a run given half an hour anneals in half an hour on any machine.

    Args:
        warmup_steps: steps of the linear warm-up.
        final: the factor at the end of the budget.
    """

    warmup_steps: int = 100
    final: float = 0.01

    def __post_init__(self) -> None:
        if self.warmup_steps < 0 or not 0 <= self.final <= 1:
            raise ConfigError(f"{self}: expected warmup_steps >= 0 and 0 <= final <= 1")

    def __call__(self, step: int, progress: float) -> float:
        """Factor on the learning rate for ``step`` (from 0) at ``progress`` in [0, 1].

        Examples:
            >>> schedule = WarmupCosine(warmup_steps=4, final=0.0)
            >>> schedule(0, 0.0), schedule(3, 0.0), round(schedule(50, 0.5), 3), schedule(99, 1.0)
            (0.25, 1.0, 0.5, 0.0)
        """
        warmup = min(1.0, (step + 1) / self.warmup_steps) if self.warmup_steps else 1.0
        cosine = 0.5 * (1 + math.cos(math.pi * min(max(progress, 0.0), 1.0)))
        return warmup * (self.final + (1 - self.final) * cosine)


class LearningRate(Callback):
    """Sets the learning rate before each step from the schedule, statelessly.

    Args:
        schedule: factor on each parameter group's own rate.
        group: where the rate is logged, as ``group/learning_rate``.
    """

    def __init__(self, schedule: WarmupCosine, *, group: str = "train") -> None:
        self.schedule = schedule
        self.group = group

    def on_train_batch_start(
        self, trainer: L.Trainer, pl_module: L.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """Scale each parameter group's initial rate."""
        factor = self.schedule(trainer.global_step, budget_used(trainer))
        for optimizer in trainer.optimizers:
            for group in optimizer.param_groups:
                # Stored in the group, so that a resumed run scales the same base.
                group["lr"] = group.setdefault("initial_lr", group["lr"]) * factor
        rate = trainer.optimizers[0].param_groups[0]["lr"]
        pl_module.log(f"{self.group}/learning_rate", rate)


def budget_used(trainer: L.Trainer) -> float:
    """Share of ``max_steps`` or ``max_time`` that is used up, whichever is larger.

    The same on all ranks, which have to call it together: else their weights would part. They
    count the same steps; on the time, where it is limited, they have to agree.
    """
    used = own_budget_used(trainer)
    return used if timer_of(trainer) is None else of_main(used)


def own_budget_used(trainer: L.Trainer) -> float:
    """The same by this process's clock."""
    elapsed, max_seconds = 0.0, None
    if (timer := timer_of(trainer)) is not None:
        elapsed, remaining = timer.time_elapsed(), timer.time_remaining()
        max_seconds = None if remaining is None else remaining + elapsed
    return progress(
        step=trainer.global_step,
        max_steps=trainer.max_steps,
        elapsed=elapsed,
        max_seconds=max_seconds,
    )


def progress(*, step: int, max_steps: int, elapsed: float, max_seconds: float | None) -> float:
    """Share of the training budget used, in [0, 1]; ``max_steps=-1`` means no limit of steps."""
    by_steps = step / max_steps if max_steps > 0 else 0.0
    by_time = elapsed / max_seconds if max_seconds else 0.0
    return min(1.0, max(by_steps, by_time))


def timer_of(trainer: L.Trainer) -> Timer | None:
    """The timer behind ``trainer.max_time``, if there is one."""
    callbacks: list[Callback] = trainer.callbacks  # type: ignore[attr-defined]
    return next((callback for callback in callbacks if isinstance(callback, Timer)), None)
