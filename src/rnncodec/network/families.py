"""Finds the implementation of a family (cells, recon, entropy) by the name of its file.

One name, three places: ``conf/cell/gru.yaml`` = ``cells/gru.py`` = ``GRU``. The name in a model
file is looked up among the package's own files, so it can never import anything else.
"""

import importlib
import inspect
import pkgutil
from types import ModuleType
from typing import TypeVar

from rnncodec.errors import ConfigError

Base = TypeVar("Base")

RENAMED = {
    "boosted_additive": "scheduled_additive",
    "boosted_one_shot": "scheduled_one_shot",
    "BoostedAdditive": "ScheduledAdditive",
    "BoostedOneShot": "ScheduledOneShot",
}
"""Earlier names of files and classes, which stand in model files and runs, and today's."""


def names(package: ModuleType) -> list[str]:
    """The names a family offers: its files, sorted.

    Examples:
        >>> import rnncodec.network.cells
        >>> names(rnncodec.network.cells)
        ['assoc_lstm', 'gru', 'gru_resnet', 'lstm']
    """
    return sorted(module.name for module in pkgutil.iter_modules(package.__path__))


def by_name(package: ModuleType, base: type[Base], name: str) -> type[Base]:
    """The one subclass of ``base`` that the file ``name``, today's or an earlier one, defines.

    Raises:
        ConfigError: no such file; the message lists the valid names.
    """
    name = RENAMED.get(name, name)
    if name not in names(package):
        family = package.__name__.rpartition(".")[2]
        raise ConfigError(f"{family}: no {name!r}; choose one of {', '.join(names(package))}")
    module = importlib.import_module(f"{package.__name__}.{name}")
    found = {
        value
        for _, value in inspect.getmembers(module, inspect.isclass)
        if issubclass(value, base) and value.__module__ == module.__name__
    }
    assert len(found) == 1, f"{module.__name__} must define exactly one {base.__name__}"
    return found.pop()


def name_of(implementation: type) -> str:
    """The name under which a class is found again: that of its file."""
    return implementation.__module__.rpartition(".")[2]


def stored_name(implementation: type) -> str:
    """Its name in model files: the first that it had, since fingerprints hash it."""
    name = name_of(implementation)
    return next((old for old, new in RENAMED.items() if new == name), name)
