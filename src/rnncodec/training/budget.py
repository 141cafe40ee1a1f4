"""How much of a training's budget of steps or time is used."""

import lightning as L
from lightning.pytorch.callbacks import Callback, Timer

from rnncodec.training.distributed import of_main
from rnncodec.training.schedule import progress


def budget_used(trainer: L.Trainer) -> float:
    """Share of ``max_steps`` or ``max_time`` that is used up, whichever is larger.

    The same on all ranks, which have to call it together: else their weights would part. They
    count the same steps; on the time, where it is limited, they have to agree.
    """
    used = own_budget_used(trainer)
    return of_main(used) if timers_of(trainer) else used


def own_budget_used(trainer: L.Trainer) -> float:
    """The same by this process's clock."""
    timers = timers_of(trainer)
    return progress(
        step=trainer.global_step,
        max_steps=trainer.max_steps,
        elapsed=timers[0].time_elapsed() if timers else 0.0,
        max_seconds=seconds_allowed(timers[0]) if timers else None,
    )


def timers_of(trainer: L.Trainer) -> list[Timer]:
    """The timer behind ``trainer.max_time``, if there is one."""
    callbacks: list[Callback] = trainer.callbacks  # type: ignore[attr-defined]
    return [callback for callback in callbacks if isinstance(callback, Timer)]


def seconds_allowed(timer: Timer) -> float | None:
    """The duration a timer was given, in seconds."""
    remaining = timer.time_remaining()
    return None if remaining is None else remaining + timer.time_elapsed()
