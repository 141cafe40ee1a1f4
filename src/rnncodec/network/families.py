"""Finds the implementation of a family (cells, recon, entropy) by the name of its file.

One name, three places: ``conf/cell/gru.yaml`` = ``cells/gru.py`` = ``GRU``. The name in a model
file is looked up among the package's own files, and then among what :mod:`rnncodec.plugins` knows:
it can never import anything else.
"""

import importlib
import inspect
import pkgutil
from collections.abc import Callable, Sequence
from types import ModuleType
from typing import Any, TypeVar

from rnncodec import plugins
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

    Or else the plug-in of this name.

    Raises:
        ConfigError: no such file or plug-in; the message lists the valid names.
    """
    name = RENAMED.get(name, name)
    if name not in names(package):
        return outside(group_of(package), base, name, names(package))
    module = importlib.import_module(f"{package.__name__}.{name}")
    found = {
        value
        for _, value in inspect.getmembers(module, inspect.isclass)
        if issubclass(value, base) and value.__module__ == module.__name__
    }
    assert len(found) == 1, f"{module.__name__} must define exactly one {base.__name__}"
    return found.pop()


def group_of(package: ModuleType) -> str:
    """The plug-ins' group of a family: ``cells``, ``recons``."""
    name = package.__name__.rpartition(".")[2]
    return {"recon": "recons"}.get(name, name)


def subclass_of(base: type) -> Callable[[Any], bool]:
    """Whether something is a class of this kind."""
    return lambda value: isinstance(value, type) and issubclass(value, base)


def outside(kind: str, base: type[Base], name: str, own: Sequence[str] = ()) -> type[Base]:
    """The plug-in of this kind and name; a ConfigError that lists all valid names, and ``own``."""
    found: type[Base] | None = plugins.find(kind, name, subclass_of(base))
    if found is None:
        valid = [*own, *plugins.names(kind, subclass_of(base))]
        listed = ", ".join(valid) or "none"
        raise ConfigError(f"{kind}: no {name!r}; choose one of {listed}")
    return found


def stored_name(package: ModuleType, base: type, implementation: Any) -> str:
    """The name of a class in model files: the first that it had, since fingerprints hash it.

    Raises:
        ConfigError: as :func:`taken_in`.
    """
    own = [*names(package), *RENAMED]
    name = taken_in(group_of(package), base, implementation, own)
    return next((old for old, new in RENAMED.items() if new == name), name)


def taken_in(kind: str, base: type, implementation: Any, own: Sequence[str] = ()) -> str:
    """The name of a class; one from outside is known to this process from here on.

    Raises:
        ConfigError: it is no subclass of ``base``, or has the name of another one.
    """
    fits = subclass_of(base)
    if not fits(implementation):
        raise ConfigError(
            f"{kind}: expected a subclass of {base.__module__}.{base.__name__}, got "
            f"{implementation!r}"
        )
    name = plugins.name_of(implementation)
    if plugins.is_outside(implementation):
        plugins.require_new(kind, name, own)
        plugins.give(implementation)
        plugins.find(kind, name, fits)  # which refuses two of one name
    return name
