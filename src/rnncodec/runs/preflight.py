"""What a run is refused for before anything is trained."""

import re
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from hydra.utils import get_class
from omegaconf import DictConfig

from rnncodec.errors import ConfigError
from rnncodec.images import distortion
from rnncodec.models import model_file
from rnncodec.network import families
from rnncodec.runs.codec_lookup import codec_file
from rnncodec.runs.run_directory import RunFiles
from rnncodec.runs.run_settings import check_settings
from rnncodec.runs.setting_checks import check_complete, check_values
from rnncodec.runs.sweep_files import check_read

NO_ENTROPY = "none"


def check(cfg: DictConfig, files: RunFiles) -> None:
    """Refuse, before anything is trained, what could not end well.

    Raises:
        ConfigError: a setting without a value, with one that cannot work, or that nothing reads; a
            training without an end; nothing to train; a run directory that holds another model;
            loader workers with ``launcher=local``.
        ModelError: ``codec=`` is no model file, and no folder that has one.
    """
    check_complete(cfg)
    check_values(cfg)
    check_read(cfg)
    check_loaders(cfg)
    check_crop(cfg)
    wanted = entropy_name(cfg)
    if files.model.exists():
        check_same(files.model, wanted)
    check_settings(cfg, files)
    if files.model.exists():
        return
    if cfg.codec is None:
        check_ends("trainer", cfg.trainer)
    else:
        model_file.read(codec_file(cfg))
        if wanted == NO_ENTROPY:
            raise ConfigError(
                f"codec={cfg.codec} with entropy={wanted} leaves nothing to train; choose an "
                "entropy model, as in entropy=progressive"
            )
    if wanted != NO_ENTROPY:
        check_ends("entropy_fit", cfg.entropy_fit)


def check_same(model: Path, wanted: str) -> None:
    """Refuse a finished model with another entropy model than the run asks for."""
    description, _ = model_file.read(model)
    found = (description["entropy"] or {"name": NO_ENTROPY})["name"]
    if found != wanted:
        raise ConfigError(
            f"{model} was made with entropy={found}, this run asks for entropy={wanted}; choose "
            f"another name=, with codec={model} to train the entropy model only"
        )


def check_loaders(cfg: DictConfig) -> None:
    """Refuse loader workers in the processes of ``launcher=local``: joblib's and they clash."""
    if not HydraConfig.initialized() or not cfg.data.num_workers:
        return
    hydra = HydraConfig.get()
    if hydra.mode == RunMode.MULTIRUN and hydra.launcher._target_.endswith("JoblibLauncher"):
        raise ConfigError(
            f"data.num_workers={cfg.data.num_workers} with launcher=local: loader workers and the "
            "launcher's own processes clash; give data.num_workers=0"
        )


def check_crop(cfg: DictConfig) -> None:
    """Refuse crops that are too small for the loss."""
    parts = [name for name, weight in (cfg.loss.get("weights") or {}).items() if weight]
    own = getattr(get_class(cfg.loss._target_), "least_side", 1)
    least = max([own, *(distortion.SMALLEST.get(part, 1) for part in parts)])
    if cfg.data.crop < least:
        raise ConfigError(
            f"data.crop={cfg.data.crop}: this loss needs crops of at least {least} pixels; raise "
            "data.crop, or choose another loss="
        )


def check_ends(group: str, limits: DictConfig) -> None:
    """Refuse a training without an end or a beginning, or whose longest time is none."""
    check_duration(f"{group}.max_time", limits.max_time)
    if limits.max_steps in (0, None):
        raise ConfigError(
            f"{group}.max_steps={limits.max_steps}: expected at least 1, or -1 for no limit"
        )
    if limits.max_steps == -1 and limits.max_time is None:
        raise ConfigError(
            f"{group}.max_steps={limits.max_steps} and no {group}.max_time: training would never "
            f"end; give at least one, as in {group}.max_time=00:00:30:00 (DD:HH:MM:SS)"
        )


def check_duration(name: str, given: Any) -> None:
    """Refuse a longest time that is not written as one.

    To YAML, ``10:00:00:00`` without quotes is a number of base 60.
    """
    expected = 'expected DD:HH:MM:SS, as in "00:02:00:00"'
    if isinstance(given, int | float):
        raise ConfigError(
            f"{name}={given}: a number, {expected}; write it in quotes, since YAML reads "
            "10:00:00:00 as a number of base 60"
        )
    if isinstance(given, str) and not re.fullmatch(r"\s*\d+(:\d\d){3}\s*", given):
        raise ConfigError(f"{name}={given}: {expected} (days, hours, minutes, seconds)")


def entropy_name(cfg: DictConfig) -> str:
    """The name of the entropy model, as in ``entropy=``."""
    return families.name_of(get_class(cfg.entropy._target_))
