"""No entropy coding: the bits go to the file as they are."""

import torch
from torch import Tensor

from rnncodec.entropy.model import EntropyModel, LayerSpec


class NoEntropy(EntropyModel):
    """Every bit costs one bit: P(b = +1) = 1/2. Nothing to train, nothing to quantise.

    A codec with this model has no integer model at all (`None`) and writes raw segments.

    >>> NoEntropy()(torch.ones(1, 16, 32, 2, 3)).abs().max()
    tensor(0.)
    """

    @classmethod
    def specs(cls, iterations: int, hidden: int) -> dict[str, LayerSpec]:
        """No layers."""
        return {}

    def forward(self, codes: Tensor, *, exact: bool = False) -> Tensor:
        """As `EntropyModel.forward`: zeros."""
        self._check(codes)
        return torch.zeros_like(codes)
