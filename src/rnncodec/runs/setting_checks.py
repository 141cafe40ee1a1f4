"""Which values settings may have: others are refused before a run begins, in one sentence each."""

from omegaconf import DictConfig, OmegaConf

from rnncodec.errors import ConfigError
from rnncodec.runs.run_settings import leaves
from rnncodec.validation import check_number, check_whole

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

PRECISIONS = ("auto", "32-true", "bf16-mixed", "16-mixed")
SHORT_PRECISIONS = ("32", "bf16", "16")
"""Lightning's other names of these."""

EPOCHS = (
    *("max_epochs", "min_epochs", "min_steps", "limit_train_batches", "overfit_batches"),
    *("fast_dev_run", "check_val_every_n_epoch"),
)
"""Settings of Lightning's trainer that would end a training too early, or never."""

OWN = ("callbacks", "logger", "plugins", "default_root_dir", "enable_checkpointing", "barebones")
"""Settings of Lightning's trainer that are a run's own business."""

NO_BOOLEANS = frozenset({"on", "off", "yes", "no"})
"""Booleans in a YAML file, but text on Hydra's command line, where all of them count as true."""

TEXTS = ("name", "tags")
"""Settings that may be any text."""

INSTEAD = {
    **dict.fromkeys(
        EPOCHS,
        "crops come without end, in no epochs; leave it out, and limit a training by "
        "trainer.max_steps or trainer.max_time",
    ),
    **dict.fromkeys(OWN, "a run sets it itself; leave it out"),
    "limit_val_batches": "validation chooses the weights to keep; leave it out, and say with "
    "data.val_images how many images it sees",
}
"""What a training does not have, and what does its work here."""


def check_complete(cfg: DictConfig) -> None:
    """Refuse a configuration that waits for a value.

    Raises:
        ConfigError: names the first setting without one.
    """
    ours = OmegaConf.masked_copy(cfg, [str(key) for key in cfg if key != "hydra"])
    for name in sorted(OmegaConf.missing_keys(ours)):
        raise ConfigError(f"{name} has no value; give one on the command line, as in {name}=...")


def check_values(cfg: DictConfig) -> None:
    """Refuse numbers that are none or out of range, and what a training cannot end well with.

    Raises:
        ConfigError: names the setting, and what is expected.
    """
    for name, (low, high) in WHOLE.items():
        value = OmegaConf.select(cfg, name, default=low)
        if value is not None or name not in OPTIONAL:
            check_whole(name, value, low, high)
    for name in LEARNING_RATES:
        check_number(name, OmegaConf.select(cfg, name, default=0), 0, None)
    check_average(cfg.optim.ema)
    check_trainer(cfg.trainer)
    check_words(cfg)


def check_words(cfg: DictConfig) -> None:
    """Refuse ``on``, ``off``, ``yes`` and ``no`` where they are text.

    Raises:
        ConfigError: names the first.
    """
    whole = OmegaConf.to_container(cfg, resolve=False)
    assert isinstance(whole, dict)
    own = {key: value for key, value in whole.items() if key not in ("hydra", *TEXTS)}
    for name, value in leaves(own):
        if isinstance(value, str) and value.lower() in NO_BOOLEANS:
            raise ConfigError(f"{name}={value}: this is text here; write true or false")


def check_average(decay: object) -> None:
    """Refuse a decay with which averaged weights would run away, or never leave their start."""
    if decay is not None:
        check_number("optim.ema", decay, 0, 1)
        if decay == 1:
            raise ConfigError("optim.ema=1: expected less, as in 0.999: 1 keeps the first weights")


def check_trainer(trainer: DictConfig) -> None:
    """Refuse settings of Lightning's trainer that this training does not have.

    Raises:
        ConfigError: names the first, and what does its work here.
    """
    precision = str(trainer.precision)
    if precision not in (*PRECISIONS, *SHORT_PRECISIONS):
        raise ConfigError(
            f"trainer.precision={precision}: choose one of {', '.join(PRECISIONS)}; weights stay "
            "in 32 bits"
        )
    for key, instead in INSTEAD.items():
        value = trainer.get(key)
        if value is not None and value is not False:
            raise ConfigError(f"trainer.{key}={value}: {instead}")
