"""The learning-rate schedule: a pure function of the step and of the share of the budget used."""

import math
from dataclasses import dataclass

from rnncodec.errors import ConfigError


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


def progress(*, step: int, max_steps: int, elapsed: float, max_seconds: float | None) -> float:
    """Share of the training budget used, in [0, 1]; ``max_steps=-1`` means no limit of steps."""
    by_steps = step / max_steps if max_steps > 0 else 0.0
    by_time = elapsed / max_seconds if max_seconds else 0.0
    return min(1.0, max(by_steps, by_time))
