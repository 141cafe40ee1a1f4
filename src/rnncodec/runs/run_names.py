"""Names of run directories: stable and readable, from what was asked for."""

import hashlib
import re
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException
from hydra.types import RunMode

from rnncodec.errors import ConfigError
from rnncodec.runs.run_directory import SHARED
from rnncodec.runs.run_settings import ONLY_HOW

LONGEST = 119
"""Bytes of a name; with a hash 128, which W&B shows in full."""

NOT_NAMED = (
    *("launcher=", "threads=", "spread=", "loader_workers=", "logger=", "logger."),
    *("checkpoint_every=", *ONLY_HOW),
)
"""They say where and how a run trains and what it reports, not what it makes; prefixes."""

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
    Where that or a replaced character changes the name, a hash of what was asked for makes it
    unique.
    The jobs of a sweep have no ``name`` of their own, or they would share one folder: it is a
    part of what was asked for.

    Args:
        name: as the configuration has it: a number, where one was typed.
        overrides: of the command line.
        varied: settings that the sweep varies: named first, and in any case.
        folder: where it is. A sweep's name is not repeated in a folder of that name, and a run
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


def sweep_name() -> str | None:
    """The folder of the sweep this run belongs to; None for a run by itself.

    A grid typed on the command line without a folder of its own has no name either: its runs
    are among all others.
    """
    if not HydraConfig.initialized():
        return None
    hydra = HydraConfig.get()
    folder = Path(hydra.sweep.dir)
    alone = hydra.mode != RunMode.MULTIRUN or folder.resolve() == Path(SHARED).resolve()
    return None if alone else folder.name


def given_name(name: Any, overrides: Sequence[str]) -> str | None:
    """The run's ``name``, as it was typed where it was: YAML's ``2026_11_30`` is a number.

    Raises:
        ConfigError: it cannot be that of a folder below another.
    """
    if name is None:
        return None
    chosen = None
    for override in parsed(overrides):
        if override.key_or_group == "name" and not override.is_sweep_override():
            value = override.value()
            plain = str(override.input_line).partition("=")[2].strip()
            typed = value if isinstance(value, str) else plain
            chosen = typed if isinstance(value, str | int | float) else None
    if chosen is None and isinstance(name, str | int | float):
        chosen = name if isinstance(name, str) else text_of(name)
    if not chosen or chosen.startswith(".") or Path(chosen).is_absolute():
        raise ConfigError(
            f"name={name}: expected the name of a folder below outputs/, which is not empty and "
            "does not begin with a dot or a slash; choose another, as in name=first"
        )
    return chosen


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


def hashed(exact: str, parts: Sequence[str], needed: int) -> str:
    """The parts as a folder's name, with a hash of ``exact`` if it does not have them all.

    Where they are too long, the longest but for the first ``needed`` are left out; not all.
    """
    whole = ",".join(parts)
    safe = [UNSAFE.sub("-", PARENTS.sub("", part)) for part in parts]
    first, rest = safe[:needed], safe[needed:]
    while rest and len(first + rest) > 1 and len(",".join(first + rest).encode()) > LONGEST:
        rest.remove(max(rest, key=len))
    readable = ",".join(first + rest).encode()[:LONGEST].decode(errors="ignore")
    return whole if readable == whole else f"{readable}-{digest(exact)}"


def digest(exact: str) -> str:
    """The hash in a name."""
    return hashlib.sha256(exact.encode(errors="surrogateescape")).hexdigest()[:8]


def asked_for(overrides: Sequence[str]) -> dict[str, str]:
    """Setting -> ``setting=value``, of all that say what a run makes; the last of each counts."""
    found = {}
    for override in parsed(overrides):
        key = str(override.get_key_element()).lstrip("+")  # whether it was there or is added
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
        try:  # without quotes, it may be a number, several values, or nothing that can be read
            (override,) = parsed([f"x={value}"])
            same = not override.is_sweep_override() and override.value() == value
        except HydraException:
            same = False
        return value if same else "'" + value.replace("'", r"\'") + "'"
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    whole = isinstance(value, float) and value.is_integer() and abs(value) < EXACT
    return str(int(value) if whole else value)


def parsed(overrides: Sequence[str]) -> list[Override]:
    """The overrides of a command line."""
    return list(OverridesParser.create().parse_overrides(list(overrides)))


def former_names(name: Any, overrides: Sequence[str]) -> Iterator[str]:
    """What the run was called as long as its name was made of how its settings were spelt.

    Alone that was as typed, and in a sweep as Hydra writes it: ``1e-3`` became ``0.001``.
    """
    if name is not None and not isinstance(name, str):
        return
    rewritten = [
        str(override.input_line)
        if override.is_sweep_override() or override.is_delete()
        else f"{override.get_key_element()}={override.get_value_element_as_str()}"
        for override in parsed(overrides)
    ]
    for spelt in (overrides, rewritten):
        wanted = sorted(
            override
            for override in spelt
            if not override.lstrip("+").startswith(NOT_NAMED) and override != "name=null"
        )
        exact = name or ",".join(wanted) or "default"
        readable = UNSAFE.sub("-", PARENTS.sub("", exact))[:100]
        yield exact if readable == exact else f"{readable}-{digest(exact)}"
