"""Names of run directories: stable, readable, and the same for the same overrides."""

import hashlib
import re
from collections.abc import Sequence

LONGEST = 100


def run_name(name: str | None, overrides: Sequence[str]) -> str:
    """The folder of a run: its ``name``, or what was asked for, in any order.

    The same command finds the same folder, which is how it resumes. Where characters had to be
    replaced or the name cut, a hash of the overrides keeps it unique.

    Examples:
        >>> run_name(None, ["recon=additive", "cell=gru"])
        'cell=gru,recon=additive'
        >>> run_name("mine", ["name=mine"]), run_name(None, [])
        ('mine', 'default')
        >>> run_name(None, ["data.root=../photos"])
        'data.root=..-photos-4c08b94e'
    """
    wanted = sorted(override for override in overrides if not override.startswith("name="))
    exact = name or ",".join(wanted) or "default"
    readable = re.sub(r"[^\w.,=+-]", "-", exact)[:LONGEST]
    if readable == exact:
        return exact
    return f"{readable}-{hashlib.sha256(exact.encode()).hexdigest()[:8]}"
