"""The reconstruction frameworks of section 3.2: one contract, one file each."""

import importlib
from typing import Any

from torch import Tensor, nn

from rnncodec.network.families import RENAMED


class Reconstruction(nn.Module):
    """How the decoder's output becomes the next picture.

    Both sides of the channel call the same two methods with the same arguments, so nothing but
    the codes has to be sent.
    """

    def gain(self, t: int, x_hat: Tensor | None) -> Tensor | None:
        """The gain of iteration ``t`` (from 0), from it and the picture (B, 3, H, W) so far.

        Returns:
            What multiplies a residual (B, 3, H, W): (B, 1, H, W), or a number () for all of
            it; or None for a gain of 1. Before the first iteration there is no picture to
            depend on.
        """
        return None

    def combine(self, x_hat: Tensor | None, decoded: Tensor, gain: Tensor | None) -> Tensor:
        """The new picture (B, 3, H, W) from the old one (None: zero) and the decoder's output."""
        raise NotImplementedError


def __getattr__(name: str) -> Any:
    """Modules by their earlier names, which ``_target_`` has in configurations of stored runs."""
    if name in RENAMED:
        return importlib.import_module(f"{__name__}.{RENAMED[name]}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
