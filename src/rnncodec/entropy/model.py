"""The contract of an entropy model (codes in, the logit of every bit out), and its names."""

import importlib
import math
import pkgutil

from torch import Tensor, nn

from rnncodec.entropy.layers import Layer, LayerSpec
from rnncodec.errors import ConfigError, DataError, ModelError
from rnncodec.geometry import BITS


class EntropyModel(nn.Module):
    """P(bit = +1) from the bits coded before it: earlier iterations and positions.

    A model is its layers (`specs`) and its float forward pass. Coding rebuilds the same network in
    integers from the layers (`rnncodec.entropy.quantize`), and knows two ways to wire them, by
    their names (`IntegerModel`): a model wired otherwise has to be taught there, too.
    """

    def __init__(self, iterations: int = 16, hidden: int = 64):
        super().__init__()
        if iterations < 1 or hidden < 1:
            raise ConfigError(
                f"entropy={self.name}: iterations={iterations}, hidden={hidden}: "
                "expected at least 1; raise them"
            )
        self.iterations = iterations
        self.hidden = hidden
        self.layers = nn.ModuleDict(
            {name: Layer(spec) for name, spec in self.specs(iterations, hidden).items()}
        )

    @property
    def name(self) -> str:
        """The name of the model's file: `entropy=` in a configuration, `name` in a model file."""
        return type(self).__module__.rpartition(".")[2]

    @property
    def config(self) -> dict[str, str | int]:
        """What a model file must say to rebuild this model: plain types."""
        return {"name": self.name, "iterations": self.iterations, "hidden": self.hidden}

    @classmethod
    def specs(cls, iterations: int, hidden: int) -> dict[str, LayerSpec]:
        """The layers by name."""
        raise NotImplementedError

    def forward(self, codes: Tensor, *, exact: bool = False) -> Tensor:
        """Logits (B, T, 32, h, w) of codes of that shape in {-1, +1}; T may be a prefix.

        `exact` computes what will be coded with: rounded weights, tables instead of functions; its
        gradient is that of the smooth network (straight through). Raises DataError on a shape
        that is not this model's.
        """
        raise NotImplementedError

    def _check(self, codes: Tensor) -> None:
        if codes.dim() != 5 or codes.shape[2] != BITS or codes.shape[1] > self.iterations:
            raise DataError(
                f"codes of shape {tuple(codes.shape)}: expected (B, T <= {self.iterations}, "
                f"{BITS}, h, w); encode them with the codec this model belongs to"
            )


def bits_per_bit(logits: Tensor, codes: Tensor) -> Tensor:
    """Mean cross-entropy in bits per coded bit, a scalar: 1 means that nothing was learned.

    >>> import torch
    >>> bits_per_bit(torch.zeros(2, 3), torch.ones(2, 3)).item()
    1.0
    """
    return nn.functional.softplus(-codes * logits).mean() / math.log(2)


def model_class(name: object) -> type[EntropyModel]:
    """The entropy model that the module `rnncodec.entropy.<name>` defines.

    Raises ModelError, with the names there are, if there is none. Nothing outside this package
    can be reached.

    >>> model_class("progressive").__name__
    'Progressive'
    """
    package = importlib.import_module("rnncodec.entropy")
    classes: dict[str, type[EntropyModel]] = {}
    for found in pkgutil.iter_modules(package.__path__):
        module = importlib.import_module(f"{package.__name__}.{found.name}")
        for value in vars(module).values():
            if isinstance(value, type) and issubclass(value, EntropyModel):
                classes[value.__module__.rpartition(".")[2]] = value
    del classes["model"]  # the base class
    if not isinstance(name, str) or name not in classes:
        raise ModelError(f"entropy={name!r}: no such entropy model; there are {sorted(classes)}")
    return classes[name]
