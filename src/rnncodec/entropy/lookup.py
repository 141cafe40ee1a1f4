"""From the name in a model file to the class: the name of the module is that of the model."""

import importlib
import pkgutil

from rnncodec import entropy
from rnncodec.entropy import model
from rnncodec.entropy.model import EntropyModel
from rnncodec.errors import ModelError


def model_class(name: object) -> type[EntropyModel]:
    """The entropy model that the module `rnncodec.entropy.<name>` defines.

    Raises ModelError, with the names there are, if there is none. Nothing outside this package
    can be reached.

    >>> model_class("progressive").__name__
    'Progressive'
    """
    classes: dict[str, type[EntropyModel]] = {}
    for found in pkgutil.iter_modules(entropy.__path__):
        module = importlib.import_module(f"{entropy.__name__}.{found.name}")
        for value in vars(module).values():
            if isinstance(value, type) and issubclass(value, EntropyModel):
                classes[value.__module__.rpartition(".")[2]] = value
    del classes[model.__name__.rpartition(".")[2]]  # the base class
    if not isinstance(name, str) or name not in classes:
        raise ModelError(f"entropy={name!r}: no such entropy model; there are {sorted(classes)}")
    return classes[name]
