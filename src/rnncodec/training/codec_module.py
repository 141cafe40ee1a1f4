"""The LightningModule of the codec: it steps, loses, optimises and logs; nothing else."""

from collections.abc import Callable, Iterable
from typing import Any, TypedDict

import lightning as L
import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from rnncodec.errors import ConfigError, ModelError
from rnncodec.evaluation import metrics
from rnncodec.geometry import BITS, BLOCK
from rnncodec.images.pixels import from_uint8, to_uint8
from rnncodec.network.autoencoder import Network
from rnncodec.network.shared_convolution import shared
from rnncodec.network.unroll import unroll
from rnncodec.training import counter_rng
from rnncodec.training.distributed import mean_over_ranks, refuse_one_iteration

OptimizerFactory = Callable[[Iterable[tuple[str, nn.Parameter]]], Optimizer]
"""Named parameters -> their optimiser."""


class ValidationScores(TypedDict):
    """Of one image, by iteration: PSNR and PSNR-HVS in dB, MS-SSIM; None if it is too small."""

    psnr_rgb: Tensor
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
    ) -> None:
        super().__init__()
        check_choice("binarizer", binarizer, ("stochastic", "sign"))
        check_choice("loss_mean", mean, ("arithmetic", "geometric"))
        self.stochastic = binarizer == "stochastic"
        self.geometric = mean == "geometric"
        self.network = channels_last(network)
        self.loss = loss
        self.optimizer = optimizer
        self.seed = seed

    def on_fit_start(self) -> None:
        """Refuse what would not learn."""
        refuse_one_iteration(self.trainer, self.network.iterations)

    def training_step(self, batch: dict[str, Tensor], batch_idx: int) -> Tensor:
        """{"image": uint8 (B, 3, H, W), "index": int64 (B,)} -> loss, scalar."""
        x = from_uint8(batch["image"])
        draws = self.draw(x, batch["index"]) if self.stochastic else None
        with shared(self.network):
            steps = unroll(self.network, x, iterations=self.network.iterations, noise=draws)
            losses = torch.stack([self.loss(x, step.x_hat) for step in steps])
        means = mean_over_ranks(losses.detach())
        self.log_losses(means, batch_size=len(x))
        if not self.geometric:
            return losses.mean()
        # The gradient of the geometric mean over the whole batch, of which a rank has a share.
        return (losses * (means.log().mean().exp() / (len(means) * means))).sum()

    def draw(self, x: Tensor, index: Tensor) -> Tensor:
        """The binarizer's noise for images (B, 3, H, W) with these sample numbers (B,)."""
        rows, columns = (side // BLOCK for side in x.shape[-2:])
        shape = (self.network.iterations, BITS, rows, columns)
        return counter_rng.uniform(self.seed, index, shape)

    def log_losses(self, losses: Tensor, *, batch_size: int) -> None:
        """Log the mean loss and that of each iteration; show the first, middle and last."""
        self.log("train/loss", losses.mean(), batch_size=batch_size)
        shown = {0, len(losses) // 2, len(losses) - 1}
        for t, loss in enumerate(losses):
            name = f"train/loss_t{t + 1:02d}"
            self.log(name, loss, prog_bar=t in shown, batch_size=batch_size)

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

        def scored(name: str) -> Tensor:
            return metrics.METRICS[name](references, pictures).where(finite, torch.nan)

        defined = {name: metrics.defined(name, *image.shape[-2:]) for name in metrics.METRICS}
        return {
            "psnr_rgb": scored("psnr_rgb"),
            "psnr_hvs": scored("psnr_hvs") if defined["psnr_hvs"] else None,
            "ms_ssim": scored("ms_ssim") if defined["ms_ssim"] else None,
        }

    def configure_optimizers(self) -> Optimizer:
        """The optimiser; its learning rate is set by the schedule callback before each step."""
        return built(self.optimizer, self.network, group="optim")

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Say which architecture the weights belong to."""
        checkpoint["network"] = self.network.config

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Refuse the weights of another architecture.

        Raises:
            ModelError: naming both.
        """
        if checkpoint.get("network") != self.network.config:
            raise ModelError(
                f"the checkpoint of this run directory is of {checkpoint.get('network')}, the run "
                f"is of {self.network.config}; choose another name= or delete it"
            )


def channels_last(network: Network) -> Network:
    """The network with its weights in the layout that convolutions prefer, in place."""
    return network.to(memory_format=torch.channels_last)  # type: ignore[call-overload,no-any-return]


def built(optimizer: OptimizerFactory, learner: nn.Module, *, group: str) -> Optimizer:
    """The optimiser of all parameters.

    Raises:
        ConfigError: it does not know such settings; ``group`` says where they stand.
    """
    try:
        return optimizer(learner.named_parameters())
    except (TypeError, ValueError) as error:
        raise ConfigError(f"{group}.optimizer cannot be built: {error}") from error


def check_choice(key: str, given: str, valid: tuple[str, ...]) -> None:
    """Refuse a setting that is none of the valid ones."""
    if given not in valid:
        raise ConfigError(f"{key}={given!r}: expected one of {', '.join(valid)}")
