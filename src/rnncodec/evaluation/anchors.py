"""All codecs that models are held against: at several settings, and as prefixes of one file."""

from typing import TypeAlias

from rnncodec.errors import ConfigError
from rnncodec.evaluation.baselines import BASELINES, Baseline
from rnncodec.evaluation.prefixes import PREFIXES, PrefixCodec

Anchor: TypeAlias = Baseline | PrefixCodec

ANCHORS: dict[str, Anchor] = {**BASELINES, **PREFIXES}
"""By name, in the order of tables."""


def chosen_baselines(asked: str) -> tuple[list[Anchor], list[str]]:
    """The baselines of ``--baselines``, and why others that ``all`` asks for are left out.

    Args:
        asked: names with commas between, ``all`` or ``none``.

    Raises:
        ConfigError: an unknown name, or one that this installation cannot write.
    """
    if asked == "none":
        return [], []
    names = list(ANCHORS) if asked == "all" else list(dict.fromkeys(asked.split(",")))
    unknown = [name for name in names if name not in ANCHORS]
    if unknown:
        raise ConfigError(
            f"--baselines: no {', '.join(map(repr, unknown))}; choose among "
            f"{', '.join(ANCHORS)}, or all, or none"
        )
    reasons = {name: ANCHORS[name].missing() for name in names}
    lacking = [reason for reason in reasons.values() if reason]
    if lacking and asked != "all":
        raise ConfigError(f"--baselines: {'; '.join(lacking)}")
    return [ANCHORS[name] for name in names if not reasons[name]], lacking
