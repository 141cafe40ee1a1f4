"""Names of run directories: stable and readable, from what was asked for."""

import hashlib
import re
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException

from rnncodec.errors import ConfigError
from rnncodec.runs.run_settings import ONLY_HOW

LONGEST = 119
"""Bytes of a name; with a hash 128, which W&B shows in full."""

NOT_NAMED = (
    *("launcher=", "threads=", "spread=", "loader_workers=", "logger=", "logger."),
    *("checkpoint_every=", *ONLY_HOW),
)
"""They say where and how a run trains and what is told of it, not what it makes; prefixes."""

PARENTS = re.compile(r"(?<==)[^\[=,]*/(?=[^/=,]+/[^/=,]+(,|$))")
"""In a list of overrides, what stands before the last two parts of a path."""

EXACT = 2.0**53
"""Below it a float is that integer and no other."""

UNSAFE = re.compile(r"[^\w.,=+-]")
"""What has no place in the name of a folder."""


def run_name(
    name: Any,
    overrides: Sequence[str],
    varied: Collection[str] | None = None,
    folder: str | None = None,
) -> str:
    """The folder of a run: its ``name``, or what was asked for, in any order and spelling.

    Where and how it runs (``NOT_NAMED``) is no part of what was asked for. The same command finds
    the same folder, which is how it resumes, and so it does with other devices or loaders.
    Of a path only the last two parts are named, and of too many settings the longest are not.
    Where that or a replaced character changes the name, a hash of what was asked for keeps it
    unique.
    The jobs of a sweep have no ``name`` of their own, or they would share one folder: it is a
    part of what was asked for.

    Args:
        name: as the configuration has it: a number, where one was typed.
        overrides: of the command line.
        varied: settings that the sweep varies: named first, and in any case.
        folder: where it lies. A sweep's name is not repeated in a folder of that name, and a run
            that is there under its former name stays where it is.

    Raises:
        ConfigError: ``name`` cannot be that of a folder below another.

    Examples:
        >>> run_name(None, ["recon=additive", "cell=gru"])
        'cell=gru,recon=additive'
        >>> run_name("mine", ["name=mine"]), run_name(None, [])
        ('mine', 'default')
        >>> run_name(20261130, ["name=2026_11_30"]), run_name(True, [])
        ('2026_11_30', 'true')
        >>> run_name(None, ["launcher=slurm", "cell=gru", "++trainer.devices=2", "logger=csv"])
        'cell=gru'
        >>> run_name(None, ["name=mine", "cell=gru"]), run_name(None, ["name=null", "cell=gru"])
        ('cell=gru,name=mine', 'cell=gru')
        >>> run_name(None, ["seed=1_0", "optim.optimizer.lr=1e-3", "cell='gru'"])
        'cell=gru,optim.optimizer.lr=0.001,seed=10'
        >>> run_name(None, ["+sweeps=tune", "cell=gru", "seed=1"], ["seed"], "outputs/tune")
        'seed=1,cell=gru'
        >>> run_name(None, ["data.root=../photos"])
        'data.root=..-photos-4c08b94e'
        >>> run_name(None, ["cell=gru", "data.root=/home/me/photos/train"])
        'cell=gru,data.root=photos-train-078fd86a'
    """
    chosen = given_name(name, overrides)
    found = hashed(chosen, [chosen], 1) if chosen else derived_name(overrides, varied, folder)
    if folder is not None and not Path(folder, found).exists():
        for former in former_names(name, overrides):
            if Path(folder, former).is_dir():
                return former
    return found


def given_name(name: Any, overrides: Sequence[str]) -> str | None:
    """The run's ``name``, as it was typed where it was: YAML's ``2026_11_30`` is a number.

    Raises:
        ConfigError: it cannot be that of a folder below another.
    """
    if name is None:
        return None
    chosen = typed_name(overrides)
    if chosen is None and isinstance(name, str | int | float):
        chosen = text_of(name) if not isinstance(name, str) else name
    if not chosen or chosen.startswith(".") or Path(chosen).is_absolute():
        raise ConfigError(
            f"name={name}: expected the name of a folder below outputs/, which is not empty and "
            "does not begin with a dot or a slash; choose another, as in name=first"
        )
    return chosen


def typed_name(overrides: Sequence[str]) -> str | None:
    """What the command line has as ``name``; None where that is no number, word or text."""
    typed = None
    for override in parsed(overrides):
        if override.key_or_group == "name" and not override.is_sweep_override():
            value = override.value()
            plain = str(override.input_line).partition("=")[2].strip()
            typed = value if isinstance(value, str) else plain
            if not isinstance(value, str | int | float):
                typed = None
    return typed


def derived_name(
    overrides: Sequence[str], varied: Collection[str] | None, folder: str | None
) -> str:
    """What was asked for, as a name."""
    asked = asked_for(overrides)
    exact = ",".join(sorted(asked.values())) or "default"
    if folder is not None and asked.get("sweeps") == f"sweeps={Path(folder).name}":
        del asked["sweeps"]
    swept = [str(key).lstrip("+") for key in varied or ()]
    first = [asked[key] for key in sorted(asked) if key in swept]
    rest = [part for part in sorted(asked.values()) if part not in first]
    return hashed(exact, [*first, *rest] or ["default"], len(first))


def hashed(exact: str, parts: Sequence[str], kept: int) -> str:
    """The parts as a folder's name, with a hash of ``exact`` if that does not tell them all.

    Where they are too long, the longest but for the first ``kept`` are left out; not all.
    """
    whole = ",".join(parts)
    safe = [UNSAFE.sub("-", PARENTS.sub("", part)) for part in parts]
    first, rest = safe[:kept], safe[kept:]
    while rest and len(parts := first + rest) > 1 and size(parts) > LONGEST:
        rest.remove(max(rest, key=len))
    readable = ",".join(first + rest).encode()[:LONGEST].decode(errors="ignore")
    if readable == whole:
        return whole
    digest = hashlib.sha256(exact.encode(errors="surrogateescape")).hexdigest()
    return f"{readable}-{digest[:8]}"


def size(parts: Sequence[str]) -> int:
    """Bytes of a name made of these parts."""
    return len(",".join(parts).encode())


def asked_for(overrides: Sequence[str]) -> dict[str, str]:
    """Setting -> ``setting=value``, of all that say what a run makes; the last of each counts."""
    found = {}
    for override in parsed(overrides):
        key = key_of(override)
        if f"{key}=".lstrip("~").startswith(NOT_NAMED):
            continue
        if override.is_delete() and override.value() is None:
            found[key] = key
        elif override.is_sweep_override():
            found[key] = str(override.input_line).lstrip("+")
        else:
            found[key] = f"{key}={text_of(override.value())}"
    if found.get("name") == "name=null":
        del found["name"]
    return found


def key_of(override: Override) -> str:
    """What an override sets, whether it was there or is added; with a ~ if it takes it away."""
    return str(override.get_key_element()).lstrip("+")


def text_of(value: Any) -> str:
    """A value in one spelling, in which Hydra reads the same value again.

    Examples:
        >>> [text_of(value) for value in (1e-3, 1000.0, True, None, "a/b", "1", [1.5, "x"])]
        ['0.001', '1000', 'true', 'null', 'a/b', "'1'", '[1.5,x]']
    """
    if isinstance(value, dict):
        inner = sorted(f"{text_of(str(k))}:{text_of(v)}" for k, v in value.items())
        return "{" + ",".join(inner) + "}"
    if isinstance(value, list):
        return "[" + ",".join(text_of(item) for item in value) + "]"
    if isinstance(value, str):
        return value if reads_as_itself(value) else "'" + value.replace("'", r"\'") + "'"
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    whole = isinstance(value, float) and value.is_integer() and abs(value) < EXACT
    return str(int(value) if whole else value)


def reads_as_itself(text: str) -> bool:
    """Whether it needs no quotes to be this text, and neither a number nor several values."""
    try:
        (override,) = parsed([f"x={text}"])
    except HydraException:
        return False
    return not override.is_sweep_override() and bool(override.value() == text)


def parsed(overrides: Sequence[str]) -> list[Override]:
    """The overrides of a command line."""
    return list(OverridesParser.create().parse_overrides(list(overrides)))


def former_names(name: Any, overrides: Sequence[str]) -> Iterator[str]:
    """What the run was called as long as its name was made of how its settings were spelt.

    Alone that was as typed, and in a sweep as Hydra writes it: ``1e-3`` became ``0.001``.
    """
    if name is None or isinstance(name, str):
        yield former_name(name, overrides)
        yield former_name(name, [rewritten(override) for override in parsed(overrides)])


def rewritten(override: Override) -> str:
    """An override as Hydra hands it to a sweep's job."""
    if override.is_sweep_override() or override.is_delete():
        return str(override.input_line)
    return f"{override.get_key_element()}={override.get_value_element_as_str()}"


def former_name(name: str | None, overrides: Sequence[str]) -> str:
    """The name by the former rule."""
    wanted = sorted(
        override
        for override in overrides
        if not override.lstrip("+").startswith(NOT_NAMED) and override != "name=null"
    )
    exact = name or ",".join(wanted) or "default"
    readable = re.sub(r"[^\w.,=+-]", "-", PARENTS.sub("", exact))[:100]
    if readable == exact:
        return exact
    digest = hashlib.sha256(exact.encode(errors="surrogateescape")).hexdigest()
    return f"{readable}-{digest[:8]}"
