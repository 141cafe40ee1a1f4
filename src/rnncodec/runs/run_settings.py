"""What a run directory was asked for, held against what is asked of it now."""

import json
from collections.abc import Iterator
from typing import Any

from omegaconf import DictConfig, OmegaConf

from rnncodec import plugins
from rnncodec.errors import ConfigError
from rnncodec.machine import devices, storage
from rnncodec.models.model_description import read_description
from rnncodec.network.families import RENAMED
from rnncodec.runs.run_directory import RunFiles

CODEC = (
    "cell",
    "recon",
    "model",
    "binarizer",
    "loss",
    "loss_mean",
    "rate",
    "optim",
    "init",
    "trainer",
    "callbacks",
)
ALWAYS = ("codec", "seed", "data")
ENTROPY = ("entropy", "entropy_fit")

DERIVED = ("model.cell", "model.recon", "data.seed", "entropy.iterations")
"""They repeat other settings."""

ONLY_HOW = (
    *("data.num_workers", "data.cache_mb", "data.cache_gb", "data.cache_dir"),
    *("trainer.accelerator", "trainer.devices", "trainer.num_nodes", "trainer.enable_"),
    *("trainer.log_every_n_steps", "trainer.num_sanity_val_steps"),
    *("trainer.use_distributed_sampler", "trainer.profiler", "checkpoint_every"),
    *("threads", "spread", "loader_workers"),
)
"""They say how and where a training runs, and not what it makes; prefixes."""

BUDGETS = ("max_steps", "max_time", "val_check_interval")
NOT_IN_MODEL = ("eval", "metrics", "codec")
"""A model file does not have them: it may have been evaluated again, and is that of its codec."""

ADDED = {"model.hidden_kernels": [1, 1, 3, 3]}
"""Settings that runs of earlier versions do not record, and what they did."""

PLUGINS = "plugins"
"""Beside the settings: the package and version of every class that is from outside."""

SHOWN = 3
UNSET = object()


def settings(cfg: DictConfig) -> dict[str, Any]:
    """A run's settings as plain data, and where what they build comes from, if from outside."""
    plain = OmegaConf.to_container(cfg, resolve=True)
    assert isinstance(plain, dict)
    plain.pop("run_dir")  # a path of this machine says nothing about the model
    outside = plugins.versions(plain)
    return {str(key): value for key, value in plain.items()} | (
        {PLUGINS: outside} if outside else {}
    )


def record(cfg: DictConfig, files: RunFiles) -> None:
    """Write the settings to the run directory."""
    text = json.dumps(settings(cfg), indent=1) + "\n"
    if not files.settings.exists() or files.settings.read_text() != text:
        storage.write_text(files.settings, text)


def record_arithmetic(cfg: DictConfig, files: RunFiles) -> None:
    """Decide what ``trainer.precision=auto`` means for a run, once: it ends as it started."""
    if cfg.trainer.precision != "auto" or files.arithmetic.exists():
        return
    chosen = devices.fast_arithmetic(devices.training_device(cfg.trainer.accelerator))
    found = {"precision": devices.lightning_precision(chosen), "reason": chosen.reason}
    storage.write_text(files.arithmetic, json.dumps(found) + "\n")


def arithmetic(cfg: DictConfig, files: RunFiles) -> dict[str, Any]:
    """``precision``, by Lightning's name, and the ``reason`` for it."""
    if cfg.trainer.precision != "auto":
        return {"precision": cfg.trainer.precision, "reason": "trainer.precision says so"}
    try:
        found = dict(json.loads(files.arithmetic.read_text()))
        return {"precision": str(found["precision"]), "reason": str(found["reason"])}
    except (ValueError, KeyError, TypeError) as error:
        raise ConfigError(f"{files.arithmetic}: this record is damaged; delete it") from error


def check_settings(cfg: DictConfig, files: RunFiles) -> None:
    """Refuse a run directory that holds, finished or not, the run of other settings.

    Where nothing has been trained, anything goes. A training that is not over may be given
    another budget, and one that is over another entropy model or evaluation that has yet to
    come. Of directories without a record, the model file has what it has.

    Raises:
        ConfigError: names the first settings that differ.
    """
    if not files.trained:
        return
    asked = json.loads(json.dumps(settings(cfg)))
    before = recorded(files)
    known = before
    if known is None and files.model.exists():  # the entropy model's settings go before
        codec, own = settings_in_notes(read_description(files.model)["notes"])
        known = codec | own
    if known is not None and PLUGINS not in known:  # older versions did not record them
        asked.pop(PLUGINS, None)
    found, wanted = (compared(side, files, asked) for side in (known or {}, asked))
    names = [*wanted, *(name for name in found if name not in wanted)]
    if before is None:  # older versions knew fewer settings
        names = [name for name in names if name in found and not name.startswith(NOT_IN_MODEL)]
    different = [name for name in names if found.get(name, UNSET) != wanted.get(name, UNSET)]
    if different:
        shown = [
            f"{name}={spelt(found.get(name, UNSET))} (asked for: {spelt(wanted.get(name, UNSET))})"
            for name in different[:SHOWN]
        ]
        more = f", and {len(different) - SHOWN} more" if len(different) > SHOWN else ""
        evaluated = all(name.startswith(("eval", "metrics")) for name in different)
        remove = files.evaluation if evaluated else files.folder
        raise ConfigError(
            f"{files.folder} holds a run with {', '.join(shown)}{more}; choose another name=, or "
            f"remove {remove} and repeat the command"
        )


def recorded(files: RunFiles) -> dict[str, Any] | None:
    """What the directory's run was asked for; None if it was made before runs recorded that."""
    if not files.settings.exists():
        return None
    try:
        found = json.loads(files.settings.read_text())
    except ValueError as error:
        raise ConfigError(f"{files.settings}: this record is damaged; delete it") from error
    return dict(found)


def settings_in_notes(notes: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Settings in a model file's notes: its codec's, and its entropy model's, which go before."""
    entropy = notes.get("entropy")
    of_entropy = entropy.get("settings") if isinstance(entropy, dict) else None
    codec, own = (
        found if isinstance(found, dict) else {} for found in (notes.get("settings"), of_entropy)
    )
    return codec, own


def compared(side: dict[str, Any], files: RunFiles, asked: dict[str, Any]) -> dict[str, Any]:
    """The settings that what is in the directory depends on, dotted names to values."""
    groups = list(ALWAYS)
    if asked.get("codec") is None:  # or else the codec's own count, whatever cell= says
        groups = [*CODEC, *ALWAYS]
    elif not str(asked["codec"]).endswith(".safetensors"):  # one of a folder
        groups = ["cell", "recon", *ALWAYS]
    with_entropy = files.codes.exists() or files.model.exists()
    if with_entropy and not str(asked["entropy"]["_target_"]).endswith(".NoEntropy"):
        groups += ENTROPY
    if files.finished:
        groups += ["eval", "metrics"]
    free = [*DERIVED, *ONLY_HOW]
    if not (files.codec.exists() or files.model.exists()):
        free += [f"trainer.{limit}" for limit in BUDGETS]
    if not files.model.exists():
        free += [f"entropy_fit.{limit}" for limit in BUDGETS]
    chosen = {group: side[group] for group in groups if group in side}
    named = versioned(chosen, side.get(PLUGINS))
    old = {name: value for name, value in ADDED.items() if name.partition(".")[0] in chosen}
    return {name: v for name, v in (old | named).items() if not name.startswith(tuple(free))}


def versioned(settings: dict[str, Any], versions: Any) -> dict[str, Any]:
    """Dotted names and values; classes from outside with the version of their package.

    >>> versioned({"loss": {"_target_": "mylab.L1"}, "plugins": {}}, {"mylab.L1": "mylab 1.0"})
    {'loss': 'mylab.L1 (mylab 1.0)'}
    """
    known = versions if isinstance(versions, dict) else {}
    found = leaves({name: value for name, value in settings.items() if name != PLUGINS})
    return {k: f"{v} ({known[v]})" if isinstance(v, str) and v in known else v for k, v in found}


def leaves(node: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """Dotted names and values; what a setting builds is named by the setting itself.

    Classes of this package have moved, and go by their names alone.

    >>> cell, loss = "rnncodec.network.cells.gru.GRU", "mylab.l2.L1"
    >>> dict(leaves({"cell": {"_target_": cell}, "loss": {"_target_": loss, "p": None}}))
    {'cell': 'GRU', 'loss': 'mylab.l2.L1', 'loss.p': None}
    """
    if not isinstance(node, dict):
        yield name, node
        return
    for key, value in node.items():
        if key == "_target_":
            built = str(value).rpartition(".")[2]
            outside = built != value and value in plugins.targets(node)
            yield name, value if outside else RENAMED.get(built, built)
        elif key != "_partial_":
            yield from leaves(value, f"{name}.{key}" if name else str(key))


def spelt(value: Any) -> str:
    """A value as the command line has it."""
    return "not set" if value is UNSET else "null" if value is None else str(value)
