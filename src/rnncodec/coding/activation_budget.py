"""How much memory may hold what backward needs in the search for bits."""

import torch
from torch import Tensor

BUDGET = 2 << 30
"""Activation-memory budget in bytes. Later iterations are recomputed in backward (checkpointing),
which adds about 50 % time."""


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
