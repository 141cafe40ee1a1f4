"""Names of run directories: stable and readable, from what was asked for."""

import hashlib
import re
from collections.abc import Sequence

from rnncodec.runs.run_settings import ONLY_HOW

LONGEST = 100

NOT_NAMED = (
    *("launcher=", "threads=", "spread=", "loader_workers=", "logger=", "logger."),
    *("checkpoint_every=", *ONLY_HOW),
)
"""They say where and how a run trains and what is told of it, not what it makes; prefixes."""

PARENTS = re.compile(r"(?<==)[^\[=,]*/(?=[^/=,]+/[^/=,]+(,|$))")
"""In a list of overrides, what stands before the last two parts of a path."""


def run_name(name: str | None, overrides: Sequence[str]) -> str:
    """The folder of a run: its ``name``, or what was asked for, in any order.

    Where and how it runs (``NOT_NAMED``) is no part of what was asked for. The same command finds
    the same folder, which is how it resumes, and so it does with other devices or loaders.
    Of a path only the last two parts are named. Where that, replaced characters or a cut change
    the name, a hash of the overrides keeps it unique.
    The jobs of a sweep have no ``name`` of their own, or they would share one folder: it is a
    part of what was asked for.

    Examples:
        >>> run_name(None, ["recon=additive", "cell=gru"])
        'cell=gru,recon=additive'
        >>> run_name("mine", ["name=mine"]), run_name(None, [])
        ('mine', 'default')
        >>> run_name(None, ["launcher=slurm", "cell=gru", "++trainer.devices=2", "logger=csv"])
        'cell=gru'
        >>> run_name(None, ["name=mine", "cell=gru"]), run_name(None, ["name=null", "cell=gru"])
        ('cell=gru,name=mine', 'cell=gru')
        >>> run_name(None, ["data.root=../photos"])
        'data.root=..-photos-4c08b94e'
        >>> run_name(None, ["cell=gru", "data.root=/home/me/photos/train"])
        'cell=gru,data.root=photos-train-078fd86a'
    """
    wanted = sorted(
        override
        for override in overrides
        if not override.lstrip("+").startswith(NOT_NAMED) and override != "name=null"
    )
    exact = name or ",".join(wanted) or "default"
    readable = re.sub(r"[^\w.,=+-]", "-", PARENTS.sub("", exact))[:LONGEST]
    if readable == exact:
        return exact
    return f"{readable}-{hashlib.sha256(exact.encode()).hexdigest()[:8]}"
