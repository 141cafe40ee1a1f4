"""Parts of one's own: cells, metrics, ... from outside this package, found by their names.

A part is known by an entry point of an installed package (``rnncodec.cells``, ...), by the user's
word (``rnncodec.load(plugins=[...])``, ``--plugin``, the variable ``RNNCODEC_PLUGINS``), or
because this process trains with it. Nothing else imports one: model files and ``.rnc`` files only
hold names, which are looked up among these.
"""

import functools
import importlib
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from importlib import metadata
from types import ModuleType
from typing import Any

from rnncodec.errors import ConfigError, RNNCodecError

VARIABLE = "RNNCODEC_PLUGINS"
"""Environment variable: names of modules to import for the parts in them, with commas between."""

GROUPS = ("cells", "recons", "binarizers", "entropy_models", "losses", "metrics", "baselines")
"""Kinds of parts that are known by name; the group of their entry points is ``rnncodec.KIND``."""

OWN = "rnncodec"
LIBRARIES = (OWN, "torch", "lightning", "hydra")
"""Packages whose classes stand in ``conf/``; a class of another package is from outside."""

LOOKUPS = ("hydra.utils.get_object", "hydra.utils.get_method", "hydra.utils.get_class")
"""With these ``_target_`` a node stands for what its ``path`` names."""

_given: dict[str, tuple[str, Any]] = {}


def give(*parts: Any, **named: Any) -> None:
    """Make parts known to this process, until it ends; the later of two from one place counts.

    Args:
        parts: classes, functions or objects; or modules (also by their names), for all that they
            define, and all that they import from modules below them.
        named: objects by the names that they shall have.

    Raises:
        ConfigError: a module of this name cannot be imported; an object without a name.
    """
    for part in parts:
        if isinstance(part, str):
            give(imported(part))
        elif isinstance(part, ModuleType):
            for attribute, value in vars(part).items():
                if not attribute.startswith("_") and belongs(value, part):
                    path = path_of(value, f"{part.__name__}.{attribute}")
                    _given[path] = name_of(value, attribute), value
        elif is_outside(part):
            _given[path_of(part)] = name_of(part), part
    for name, part in named.items():
        _given[path_of(part, name)] = name, part


def imported(module: str) -> ModuleType:
    """A module that the user has named.

    Raises:
        ConfigError: it cannot be imported.
    """
    try:
        return importlib.import_module(module)
    except Exception as error:  # whatever a module of the user's does
        raise ConfigError(
            f"plugin {module}: cannot be imported ({type(error).__name__}: {error}); install its "
            "package, or put its folder into PYTHONPATH"
        ) from error


def belongs(value: Any, module: ModuleType) -> bool:
    """Whether a module defines what stands in it, or takes it from a module below itself."""
    if isinstance(value, ModuleType):
        return False
    home = getattr(value, "__module__", "") if callable_by_name(value) else module.__name__
    return f"{home}.".startswith(f"{module.__name__}.")


def callable_by_name(value: Any) -> bool:
    """Whether it is a class or a function, which knows its own name and module."""
    return isinstance(getattr(value, "__qualname__", None), str)


def is_outside(part: Any) -> bool:
    """Whether a class, function or object is of another package than this one."""
    home = part if callable_by_name(part) else type(part)
    return str(home.__module__).partition(".")[0] != OWN


def name_of(part: Any, attribute: str | None = None) -> str:
    """The name of a part, under which it is found again.

    It is that of its file inside this package, as ``gru``. Outside it is the attribute ``name``
    of the class or object, if that is a text; or else what a class or function is called; or the
    attribute of the module that holds an object.

    Raises:
        ConfigError: an object without a name.

    Examples:
        >>> from rnncodec.network.cells.gru import GRU
        >>> name_of(GRU), name_of(dict)
        ('gru', 'dict')
    """
    if isinstance(part, type) and not is_outside(part):
        return part.__module__.rpartition(".")[2]
    own = getattr(part, "name", None)
    name = own if isinstance(own, str) else getattr(part, "__name__", attribute)
    if not isinstance(name, str):
        raise ConfigError(f"plugin {part!r}: has no name; give it an attribute name, a text")
    return name


def path_of(part: Any, attribute: str = "") -> str:
    """Where a part is: of a class or function, or the class of an object, ``package.module.Name``.

    Of an object of a class of this package it is that of its function, as of a metric's, or else
    ``attribute``.
    """
    if callable_by_name(part):
        return f"{part.__module__}.{part.__qualname__}"
    if is_outside(part):
        return path_of(type(part))
    function = getattr(part, "function", None)
    return path_of(function) if callable_by_name(function) else attribute


def names(group: str, fits: Callable[[Any], bool]) -> list[str]:
    """The names of all parts of a kind that are known, sorted; imports none of them."""
    entries = {entry.name for entry in metadata.entry_points(group=f"{OWN}.{group}")}
    return sorted(entries | {name for name, value in given().values() if fits(value)})


def given() -> Mapping[str, tuple[str, Any]]:
    """Path -> name and part, of those that are not known by entry points alone."""
    give(*filter(None, os.environ.get(VARIABLE, "").split(",")))
    return _given


def find(group: str, name: str, fits: Callable[[Any], bool]) -> Any | None:
    """The part of this kind and name; None if none is known.

    Args:
        group: one of ``GROUPS``.
        name: its name.
        fits: whether a part is of this kind.

    Raises:
        ConfigError: there are two; an entry point that cannot be loaded, or that is another kind
            of thing or has another name than it says.
    """
    found: dict[str, Any] = {}
    for entry in metadata.entry_points(group=f"{OWN}.{group}", name=name):
        part = loaded(entry)
        if not fits(part) or name_of(part, name) != name:
            raise ConfigError(
                f"{described(entry)}: is {part!r}, expected something of {group} that is named "
                f"{name!r}; mend the package, or uninstall it"
            )
        found[path_of(part, entry.value.replace(":", "."))] = part
    found |= {path: part for path, (own, part) in given().items() if own == name and fits(part)}
    if len(found) > 1:
        raise ConfigError(
            f"{group}: {' and '.join(sorted(found))} have the same name, {name!r}; uninstall one, "
            "or give one another name (an attribute name = '...' of the class)"
        )
    return next(iter(found.values()), None)


def loaded(entry: metadata.EntryPoint) -> Any:
    """What an entry point stands for; a ConfigError if it cannot be loaded."""
    try:
        return entry.load()
    except Exception as error:  # whatever the module of an installed package does
        raise ConfigError(
            f"{described(entry)}: cannot be loaded ({type(error).__name__}: {error}); mend the "
            "package, or uninstall it"
        ) from error


def described(entry: metadata.EntryPoint) -> str:
    """An entry point in a message, with its package."""
    package = f" of {entry.dist.name} {entry.dist.version}" if entry.dist else ""
    return f"entry point {entry.name} = {entry.value} in {entry.group}{package}"


@contextmanager
def refusing(what: str) -> Iterator[None]:
    """Around code from outside: what it raises is one ConfigError that begins with ``what``.

    Errors of this package come through as they are.
    """
    try:
        yield
    except RNNCodecError:
        raise
    except Exception as error:  # whatever the user's code does
        text = " ".join(str(error).split())
        raise ConfigError(f"{what}: {type(error).__name__}: {text}") from error


def require_new(group: str, name: str, own: Iterable[str]) -> None:
    """Refuse a part from outside that has the name of one of ours.

    Raises:
        ConfigError: names it.
    """
    if name in own:
        raise ConfigError(
            f"{group}: {name!r} is the name of a part of {OWN} itself; give yours another (an "
            "attribute name = '...' of the class)"
        )


def origin(path: str) -> dict[str, str]:
    """Of ``package.module.Name``: the ``class``, and its ``package`` and ``version`` if installed.

    Examples:
        >>> origin("torch.nn.L1Loss")["package"], origin("__main__.Cell")
        ('torch', {'class': '__main__.Cell'})
    """
    root = path.partition(".")[0]
    found = next(
        (
            entry.dist
            for group in GROUPS
            for entry in metadata.entry_points(group=f"{OWN}.{group}")
            if entry.dist is not None and re.split("[.:]", entry.value)[0].strip() == root
        ),
        None,
    )
    if found is None:
        listed = packages().get(root, ())
        found = metadata.distribution(listed[0]) if listed else None
    package = {} if found is None else {"package": found.name, "version": found.version}
    return {"class": path, **package}


@functools.cache
def packages() -> Mapping[str, list[str]]:
    """The installed packages that hold each importable one; it takes most of a second."""
    return metadata.packages_distributions()


def version_of(group: str, name: str) -> str:
    """The package and version of a part that is known; ``not installed`` where it has none."""
    part = find(group, name, callable)
    return installed(origin(path_of(part, name)))


def installed(found: Mapping[str, str]) -> str:
    """Package and version of an :func:`origin`."""
    return f"{found['package']} {found['version']}" if "package" in found else "not installed"


def targets(settings: Any) -> Iterator[str]:
    """Every ``_target_`` in settings, plain data, that is from outside.

    Examples:
        >>> list(targets({"loss": {"_target_": "mylab.L2"}, "cell": {"_target_": "torch.nn.GRU"}}))
        ['mylab.L2']
    """
    if isinstance(settings, dict):
        target = settings.get("_target_")
        if target in LOOKUPS:
            target = settings.get("path")
        if isinstance(target, str) and target.partition(".")[0] not in LIBRARIES:
            yield target
        settings = list(settings.values())
    if isinstance(settings, list):
        for value in settings:
            yield from targets(value)


def versions(settings: Any) -> dict[str, str]:
    """Of every :func:`targets`: its installed package and version, or ``not installed``."""
    return {target: installed(origin(target)) for target in targets(settings)}
