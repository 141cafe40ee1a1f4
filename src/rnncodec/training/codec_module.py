"""The LightningModule of the codec: it steps, loses, optimises and logs; nothing else."""

import pickle
from collections.abc import Callable, Iterable
from os import PathLike
from typing import Any, TypedDict

import lightning as L
import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from rnncodec.errors import ConfigError, DataError, ModelError
from rnncodec.evaluation import metrics
from rnncodec.geometry import BITS, BLOCK
from rnncodec.images.pixels import from_uint8, to_uint8
from rnncodec.network.autoencoder import Network
from rnncodec.network.shared_convolution import shared
from rnncodec.network.unroll import unroll
from rnncodec.training.distributed import mean_over_ranks, refuse_one_iteration
from rnncodec.training.losses import L1, Rate

# Constants of splitmix64 (Steele, Lea & Flood, 2014), as signed 64-bit numbers.
GOLDEN = 0x9E3779B97F4A7C15 - 2**64
MULTIPLIERS = (0xBF58476D1CE4E5B9 - 2**64, 0x94D049BB133111EB - 2**64)
SHIFTS = (30, 27, 31)

OptimizerFactory = Callable[[Iterable[tuple[str, nn.Parameter]]], Optimizer]
"""Named parameters -> their optimiser."""


class ValidationScores(TypedDict):
    """Of one image, by iteration: PSNR and PSNR-HVS in dB, MS-SSIM; None if it is too small."""

    psnr_rgb: Tensor | None
    psnr_hvs: Tensor | None
    ms_ssim: Tensor | None


class CodecModule(L.LightningModule):
    """Trains a network on the mean over all iterations of a loss (section 3, equation 4).

    Args:
        network: the codec.
        loss: loss of one iteration's reconstruction.
        optimizer: the optimiser, but for its parameters.
        seed: of the binarizer's noise, which is a function of it and the sample's index.
        binarizer: "stochastic" as in the paper, or "sign" as in coding. A bit that says little
            yet is mostly noise to the decoder when drawn, and never learns to say more.
        mean: over the iterations, "arithmetic" as in the paper, or "geometric", which weighs
            each iteration by the inverse of its loss: a percent counts the same everywhere.
        scheduler: of the learning rate, from the optimiser, stepped after each step; None: the
            rate is constant, unless a callback sets it as
            :class:`rnncodec.training.schedule.LearningRate` does in a run.
        rate: what the bits cost, a part of the loss; None: nothing.

    Raises:
        ConfigError: an unknown ``binarizer`` or ``mean``.
    """

    def __init__(
        self,
        network: Network,
        loss: nn.Module,
        optimizer: OptimizerFactory,
        *,
        seed: int,
        binarizer: str = "stochastic",
        mean: str = "arithmetic",
        scheduler: Callable[[Optimizer], LRScheduler] | None = None,
        rate: Rate | None = None,
    ) -> None:
        super().__init__()
        check_choice("binarizer", binarizer, ("stochastic", "sign"))
        check_choice("loss_mean", mean, ("arithmetic", "geometric"))
        self.stochastic = binarizer == "stochastic"
        self.geometric = mean == "geometric"
        # in place: the layout of weights that convolutions prefer
        self.network: Network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.loss = loss
        self.rate = rate
        self.optimizer = optimizer
        self.scheduler = scheduler
        self.seed = seed

    @classmethod
    def load_from_checkpoint(  # type: ignore[override]
        cls,
        checkpoint_path: str | PathLike[str],
        map_location: torch.device | str = "cpu",
        *,
        loss: nn.Module | None = None,
        optimizer: OptimizerFactory | None = None,
        seed: int = 0,
        **settings: Any,
    ) -> "CodecModule":
        """The module of a checkpoint: its network, with the weights that a model file would have.

        Nothing in the file is executed. Give ``loss`` and ``optimizer`` to train on; without, they
        are L1 and Adam.

        Raises:
            DataError: no such file, or no checkpoint of a codec.
        """
        try:
            found = torch.load(checkpoint_path, map_location, weights_only=True)
            network = Network.from_config(found["network"])
        except (OSError, EOFError, pickle.UnpicklingError, RuntimeError, KeyError) as error:
            raise DataError(
                f"{checkpoint_path}: cannot be read as a codec's checkpoint: {error!r}"
            ) from error
        module = cls(network, loss or L1(), optimizer or adam, seed=seed, **settings)
        weights = {  # those of a rate, if it had one, only where it is to train on with one
            name: value
            for name, value in found["state_dict"].items()
            if module.rate is not None or not name.startswith("rate.")
        }
        module.load_state_dict(weights)
        return module

    def forward(self, x: Tensor) -> Tensor:
        """Images (B, 3, H, W) in [-0.5, 0.5], sides multiples of 16 -> (B, T, 3, H, W).

        The reconstruction after each iteration, of the signs of the codes, not clipped.
        """
        steps = unroll(self.network, x, iterations=self.network.iterations)
        return torch.stack([step.x_hat for step in steps], dim=1)

    def on_fit_start(self) -> None:
        """Refuse what would not learn."""
        refuse_one_iteration(self.trainer, self.network.iterations)

    def training_step(self, batch: dict[str, Tensor], batch_idx: int) -> Tensor:
        """{"image": uint8 (B, 3, H, W), "index": int64 (B,)} -> loss, scalar."""
        x, iterations = from_uint8(batch["image"]), self.network.iterations
        noise = None
        if self.stochastic:
            rows, columns = (side // BLOCK for side in x.shape[-2:])
            noise = uniform(self.seed, batch["index"], (iterations, BITS, rows, columns))
        with shared(self.network):
            steps = list(unroll(self.network, x, iterations=iterations, noise=noise))
            losses = torch.stack([self.loss(x, step.x_hat) for step in steps])
        means = mean_over_ranks(losses.detach())
        self.log("train/loss", means.mean(), batch_size=len(x))
        shown = {0, len(means) // 2, len(means) - 1}  # by the progress bar
        for t, mean in enumerate(means):
            name = f"train/loss_t{t + 1:02d}"
            self.log(name, mean, prog_bar=t in shown, batch_size=len(x))
        if self.rate is not None:
            with torch.no_grad():
                grey = mean_over_ranks(self.loss(x, torch.zeros_like(x)))[None]
            codes = torch.stack([step.code for step in steps], dim=1)
            cost, bits = self.rate(codes, torch.cat([grey, means]))
            share = mean_over_ranks(bits[-1]) / iterations
            self.log("train/bits_per_bit", share, prog_bar=True, batch_size=len(x))
            losses = losses + means * cost
        if not self.geometric:
            return losses.mean()
        # The gradient of the geometric mean over the whole batch, of which a rank has a share.
        return (losses * (means.log().mean().exp() / (len(means) * means))).sum()

    def validation_step(self, batch: dict[str, Any], batch_idx: int) -> ValidationScores:
        """{"image": uint8 (1, 3, H, W)} -> scores of the 8-bit reconstructions, (T,) each.

        A reconstruction that is not finite scores NaN, which ends the training on all ranks.
        """
        image = batch["image"]
        steps = unroll(self.network, from_uint8(image), iterations=self.network.iterations)
        x_hats = torch.cat([step.x_hat for step in steps])
        finite = x_hats.isfinite().all(dim=(1, 2, 3))
        pictures = to_uint8(x_hats.nan_to_num())
        references = image.expand_as(pictures)

        def scores(name: str) -> Tensor | None:
            if not metrics.defined(name, *image.shape[-2:]):
                return None
            return metrics.METRICS[name](references, pictures).where(finite, torch.nan)

        return {
            "psnr_rgb": scores("psnr_rgb"),
            "psnr_hvs": scores("psnr_hvs"),
            "ms_ssim": scores("ms_ssim"),
        }

    def configure_optimizers(self) -> Any:
        """The optimiser, and the scheduler of its learning rate if there is one."""
        learner = self.network if self.rate is None else nn.ModuleList([self.network, self.rate])
        optimizer = built(self.optimizer, learner, group="optim")
        if self.scheduler is None:
            return optimizer
        schedule = {"scheduler": self.scheduler(optimizer), "interval": "step"}
        return {"optimizer": optimizer, "lr_scheduler": schedule}

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Name the architecture that the weights belong to."""
        checkpoint["network"] = self.network.config

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Refuse the weights of another architecture, with a ModelError that names both."""
        if checkpoint.get("network") != self.network.config:
            raise ModelError(
                f"the checkpoint of this run directory is of {checkpoint.get('network')}, the run "
                f"is of {self.network.config}; choose another name= or delete it"
            )


def adam(named: Iterable[tuple[str, nn.Parameter]]) -> Optimizer:
    """The optimiser of a module that is given none."""
    return torch.optim.Adam(parameter for _, parameter in named)


def built(optimizer: OptimizerFactory, learner: nn.Module, *, group: str) -> Optimizer:
    """The optimiser of all parameters; a ConfigError names ``group``, where its settings stand."""
    try:
        return optimizer(learner.named_parameters())
    except (TypeError, ValueError) as error:
        raise ConfigError(f"{group}.optimizer cannot be built: {error}") from error


def check_choice(key: str, given: str, valid: tuple[str, ...]) -> None:
    """Refuse a setting that is none of the valid ones."""
    if given not in valid:
        raise ConfigError(f"{key}={given!r}: expected one of {', '.join(valid)}")


def uniform(seed: int, index: Tensor, shape: tuple[int, ...]) -> Tensor:
    """Independent uniform numbers in [0, 1), 24 bits each, as a function of (seed, index) alone.

    A counter is hashed instead of advancing a generator, so there is no state to save, and a
    resumed or distributed run, on any device, draws what an undisturbed one would have drawn.

    Args:
        seed: the run's seed.
        index: (B,) int64, the global index of each sample over the whole training.
        shape: what each sample needs.

    Returns:
        (B, *shape) float32 on the device of ``index``.

    Examples:
        >>> a = uniform(0, torch.tensor([7, 8]), (2, 3))
        >>> b = uniform(0, torch.tensor([8]), (2, 3))
        >>> torch.equal(a[1], b[0])
        True
    """
    count = torch.Size(shape).numel()
    keys = splitmix64(splitmix64(torch.full_like(index, seed)) + index)
    counters = torch.arange(count, device=index.device) * GOLDEN
    bits = shift_right(splitmix64(keys[:, None] + counters), 40)
    return (bits.float() * 2.0**-24).view(len(index), *shape)


def splitmix64(z: Tensor) -> Tensor:
    """The finaliser of splitmix64: a bijection of 64-bit numbers that scatters nearby ones."""
    z = z + GOLDEN
    for shift, multiplier in zip(SHIFTS, MULTIPLIERS, strict=False):
        z = (z ^ shift_right(z, shift)) * multiplier
    return z ^ shift_right(z, SHIFTS[-1])


def shift_right(z: Tensor, bits: int) -> Tensor:
    """Logical shift of 64-bit numbers (the one of int64 tensors repeats the sign)."""
    shifted: Tensor = (z >> bits) & (2 ** (64 - bits) - 1)
    return shifted
