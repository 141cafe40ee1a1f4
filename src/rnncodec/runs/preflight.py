"""What a run is refused for before anything is trained, in one sentence each.

And what its command line needs beside Hydra: ``~``, the folder of sweeps, and settings unread.
"""

import re
from pathlib import Path

from hydra.core.config_search_path import ConfigSearchPath
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.plugins import Plugins
from hydra.plugins.search_path_plugin import SearchPathPlugin
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

from rnncodec.errors import ConfigError
from rnncodec.images import distortion
from rnncodec.models import model_file
from rnncodec.runs.codec_lookup import NO_ENTROPY, codec_file, entropy_name, target
from rnncodec.runs.run_directory import RunFiles
from rnncodec.runs.run_settings import check_settings, leaves
from rnncodec.validation import check_number, check_whole

HOME = re.compile(r"(?<=[=,\[])~(?=[/,\]]|$)")

OUTSIDE_GROUPS = ("metrics", "callbacks")
"""Groups without an option of ours."""

GROUP = "sweeps"
SCHEME = "file://"
MAIN = "main"
"""Hydra's name for the folder of the primary configuration, which is ``conf/``."""

WHOLE = {
    "seed": (0, 2**32 - 1),
    "threads": (1, None),
    "checkpoint_every": (1, None),
    "data.crop": (16, None),
    "data.batch_size": (1, None),
    "data.val_images": (1, None),
    "data.val_size": (16, None),
    "data.num_workers": (0, None),
    "entropy_fit.data.crops": (1, None),
    "entropy_fit.data.crop": (16, None),
    "entropy_fit.data.batch_size": (1, None),
    "trainer.log_every_n_steps": (1, None),
    "trainer.accumulate_grad_batches": (1, None),
    "trainer.val_check_interval": (1, None),
    "entropy_fit.val_check_interval": (1, None),
    "trainer.max_steps": (-1, None),
    "entropy_fit.max_steps": (-1, None),
}
"""Whole numbers, and their range."""

OPTIONAL = (
    *("threads", "trainer.accumulate_grad_batches", "trainer.max_steps", "entropy_fit.max_steps"),
    *("trainer.val_check_interval", "entropy_fit.val_check_interval"),
)
"""Those of them that may be null here."""

LEARNING_RATES = ("optim.optimizer.lr", "optim.optimizer.adam_lr", "entropy_fit.optimizer.lr")

NO_BOOLEANS = frozenset({"on", "off", "yes", "no"})
"""Booleans in a YAML file, but text on Hydra's command line, where all of them count as true."""

TEXTS = ("name", "tags")
"""Settings that may be any text."""

PRECISIONS = ("auto", "32-true", "bf16-mixed", "16-mixed")
SHORT_PRECISIONS = ("32", "bf16", "16")
"""Lightning's other names of these."""

ENDLESS = (
    "crops come without end, in no epochs; leave it out, and limit a training by "
    "trainer.max_steps or trainer.max_time"
)
INSTEAD = {
    **dict.fromkeys(("max_epochs", "min_epochs", "min_steps", "limit_train_batches"), ENDLESS),
    **dict.fromkeys(("overfit_batches", "fast_dev_run", "check_val_every_n_epoch"), ENDLESS),
    **dict.fromkeys(
        ("plugins", "default_root_dir", "enable_checkpointing", "barebones"),
        "a run sets it itself; leave it out",
    ),
    "callbacks": "a run sets it itself; leave it out, and name yours as callbacks=NAME, a file "
    "callbacks/NAME.yaml in the folder of --config-dir",
    "logger": "a run sets it itself; leave it out, and choose as in logger=csv",
    "limit_val_batches": "validation chooses the weights to keep; leave it out, and say with "
    "data.val_images how many images it sees",
}
"""Settings of Lightning's trainer that a training does not have, and what does their work here."""


def check(cfg: DictConfig, files: RunFiles) -> None:
    """Refuse, before anything is trained, what could not end well.

    Raises:
        ConfigError: a setting without a value, with one that cannot work, or that nothing reads; a
            training without an end; nothing to train; a run directory that holds another model;
            loader workers with ``launcher=local``.
        ModelError: ``codec=`` is no model file, and no folder that has one.
    """
    ours = OmegaConf.masked_copy(cfg, [str(key) for key in cfg if key != "hydra"])
    for name in sorted(OmegaConf.missing_keys(ours)):
        raise ConfigError(f"{name} has no value; give one on the command line, as in {name}=...")
    check_values(cfg)
    check_read(cfg)
    check_loaders(cfg)
    check_crop(cfg)
    wanted = entropy_name(cfg)
    if files.model.exists():
        description, _ = model_file.read(files.model)
        found = (description["entropy"] or {"name": NO_ENTROPY})["name"]
        if found != wanted:
            raise ConfigError(
                f"{files.model} was made with entropy={found}, this run asks for "
                f"entropy={wanted}; choose another name=, with codec={files.model} to train the "
                "entropy model only"
            )
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


def check_loaders(cfg: DictConfig) -> None:
    """Refuse loader workers in the processes of ``launcher=local``: joblib's and they clash."""
    if not HydraConfig.initialized() or not cfg.data.get("num_workers"):
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
    own = getattr(target(cfg, "loss"), "least_side", 1)
    least = max([own, *(distortion.SMALLEST.get(part, 1) for part in parts)])
    if (crop := cfg.data.get("crop")) is not None and crop < least:
        raise ConfigError(
            f"data.crop={crop}: this loss needs crops of at least {least} pixels; raise "
            "data.crop, or choose another loss="
        )


def check_ends(group: str, limits: DictConfig) -> None:
    """Refuse a training without an end or a beginning, or whose longest time is none.

    To YAML, ``10:00:00:00`` without quotes is a number of base 60.
    """
    time, expected = limits.max_time, 'expected DD:HH:MM:SS, as in "00:02:00:00"'
    if isinstance(time, int | float):
        raise ConfigError(
            f"{group}.max_time={time}: a number, {expected}; write it in quotes, since YAML reads "
            "10:00:00:00 as a number of base 60"
        )
    if isinstance(time, str) and not re.fullmatch(r"\s*\d+(:\d\d){3}\s*", time):
        raise ConfigError(f"{group}.max_time={time}: {expected} (days, hours, minutes, seconds)")
    if limits.max_steps in (0, None):
        raise ConfigError(
            f"{group}.max_steps={limits.max_steps}: expected at least 1, or -1 for no limit"
        )
    if limits.max_steps == -1 and limits.max_time is None:
        raise ConfigError(
            f"{group}.max_steps={limits.max_steps} and no {group}.max_time: training would never "
            f"end; give at least one, as in {group}.max_time=00:00:30:00 (DD:HH:MM:SS)"
        )


def check_values(cfg: DictConfig) -> None:
    """Refuse numbers that are none or out of range, and settings that this training has not."""
    for name, (low, high) in WHOLE.items():
        value = OmegaConf.select(cfg, name, default=low)
        if value is not None or name not in OPTIONAL:
            check_whole(name, value, low, high)
    for name in LEARNING_RATES:
        check_number(name, OmegaConf.select(cfg, name, default=0), 0, None)
    if (decay := cfg.optim.ema) is not None:
        check_number("optim.ema", decay, 0, 1)
        if decay == 1:
            raise ConfigError("optim.ema=1: expected less, as in 0.999: 1 keeps the first weights")
    precision = str(cfg.trainer.precision)
    if precision not in (*PRECISIONS, *SHORT_PRECISIONS):
        raise ConfigError(
            f"trainer.precision={precision}: choose one of {', '.join(PRECISIONS)}; weights stay "
            "in 32 bits"
        )
    for key, instead in INSTEAD.items():
        value = cfg.trainer.get(key)
        if value is not None and (value is not False or key == "logger"):
            raise ConfigError(f"trainer.{key}={value}: {instead}")
    plain = OmegaConf.to_container(cfg, resolve=False)
    assert isinstance(plain, dict)
    own = {key: value for key, value in plain.items() if key not in ("hydra", *TEXTS)}
    for name, value in leaves(own):
        if isinstance(value, str) and value.lower() in NO_BOOLEANS:
            raise ConfigError(f"{name}={value}: this is text here; write true or false")


def with_home(arguments: list[str]) -> list[str]:
    """The arguments with the home folder for ``~`` wherever a value begins with it.

    The shell leaves it as it is in ``data.root=~/photos``, and Hydra's grammar does not know it.
    In front of a name, it still means that the setting is taken away.

    >>> home = str(Path.home())
    >>> with_home(["~logger", "data.root=~/photos"]) == ["~logger", f"data.root={home}/photos"]
    True
    """
    return [HOME.sub(lambda _: str(Path.home()), argument) for argument in arguments]


class BesideConf(SearchPathPlugin):
    """Has Hydra look for groups in the folder that holds ``conf/``, too: there is ``sweeps/``."""

    def manipulate_search_path(self, search_path: ConfigSearchPath) -> None:
        """Append that folder, whatever the working directory."""
        for element in list(search_path.get_path()):
            path = element.path.removeprefix(SCHEME)
            if element.provider == MAIN and "://" not in path:
                search_path.append("rnncodec", SCHEME + str(Path(path).resolve().parent))


def register_sweeps() -> None:
    """Have Hydra find the sweeps; to be called before Hydra starts."""
    Plugins.instance().register(BesideConf)


def check_read(cfg: DictConfig) -> None:
    """Refuse a setting that nothing reads, and an option that another one of its name hides.

    Hydra makes a plain setting of a group that it does not find: ``+sweep=demo_grid`` would be
    one training with the settings of none. Of two files ``cell/gru.yaml``, ours and one on its
    search path, it takes the first.

    Raises:
        ConfigError: names it.
    """
    if GROUP in cfg:  # from wherever
        raise ConfigError(
            f"{GROUP}={cfg[GROUP]}: not found, expected a folder {GROUP}/ with {cfg[GROUP]}.yaml "
            "beside conf/; start the train.py of a complete clone"
        )
    if not HydraConfig.initialized():
        return
    hydra = HydraConfig.get()
    for group, option in hydra.runtime.choices.items():
        found = [
            Path(source.path.removeprefix(SCHEME), group, f"{option}.yaml")
            for source in hydra.runtime.config_sources
            if isinstance(option, str) and not group.startswith("hydra/")
        ]
        found = [path for path in found if path.is_file()]
        if len({path.resolve() for path in found}) > 1:
            raise ConfigError(
                f"{group}={option}: there are {' and '.join(map(str, found))}, and Hydra takes "
                "the first without a word; give one of them another name"
            )
    task = OmegaConf.to_container(hydra.overrides.task) or ()
    for override in OverridesParser.create().parse_overrides([str(each) for each in task]):
        key = override.key_or_group
        if not override.is_add() or "." in key or key not in cfg or key in OUTSIDE_GROUPS:
            continue
        # another setting may be made of it, as in ${key} or ${oc.select:key,1}
        use = re.compile(rf"(\$\{{|oc\.select:){re.escape(key)}[.\[,}}]")
        if not any(use.search(OmegaConf.to_yaml(settings)) for settings in (cfg, hydra)):
            raise ConfigError(
                f"+{key}={cfg[key]}: nothing reads a setting of this name; leave it out, or name "
                "an existing one (python train.py --help)"
            )
