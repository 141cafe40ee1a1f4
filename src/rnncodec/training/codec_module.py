"""The LightningModule of the codec: it steps, loses, optimises and logs; nothing else."""

from collections.abc import Callable, Iterable
from typing import Any, TypedDict

import lightning as L
import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from rnncodec.errors import ModelError
from rnncodec.evaluation import metrics
from rnncodec.geometry import BLOCK
from rnncodec.network import BITS, Network
from rnncodec.pixels import from_uint8, to_uint8
from rnncodec.training import noise
from rnncodec.training.distributed import mean_over_ranks
from rnncodec.unroll import unroll

OptimizerFactory = Callable[[Iterable[nn.Parameter]], Optimizer]


class ValidationScores(TypedDict):
    """Of one image, by iteration: PSNR in dB, and MS-SSIM unless the image is too small."""

    psnr_rgb: Tensor
    ms_ssim: Tensor | None


class CodecModule(L.LightningModule):
    """Trains a network on the mean over all iterations of a loss (section 3, equation 4).

    Args:
        network: the codec.
        loss: loss of one iteration's reconstruction.
        optimizer: the optimiser, but for its parameters.
        seed: of the binarizer's noise, which is a function of it and the sample's index.
    """

    def __init__(
        self, network: Network, loss: nn.Module, optimizer: OptimizerFactory, *, seed: int
    ) -> None:
        super().__init__()
        self.network = channels_last(network)
        self.loss = loss
        self.optimizer = optimizer
        self.seed = seed

    def training_step(self, batch: dict[str, Tensor], batch_idx: int) -> Tensor:
        """{"image": uint8 (B, 3, H, W), "index": int64 (B,)} -> loss, scalar."""
        x = from_uint8(batch["image"])
        iterations = self.network.iterations
        code = (iterations, BITS, x.shape[-2] // BLOCK, x.shape[-1] // BLOCK)
        draws = noise.uniform(self.seed, batch["index"], code)
        steps = unroll(self.network, x, iterations=iterations, noise=draws)
        losses = torch.stack([self.loss(x, step.x_hat) for step in steps])
        self.log_losses(mean_over_ranks(losses.detach()), batch_size=len(x))
        return losses.mean()

    def log_losses(self, losses: Tensor, *, batch_size: int) -> None:
        """Log the mean loss and that of each iteration; show the first, middle and last."""
        self.log("train/loss", losses.mean(), batch_size=batch_size)
        shown = {0, len(losses) // 2, len(losses) - 1}
        for t, loss in enumerate(losses):
            name = f"train/loss_t{t + 1:02d}"
            self.log(name, loss, prog_bar=t in shown, batch_size=batch_size)

    def validation_step(self, batch: dict[str, Any], batch_idx: int) -> ValidationScores:
        """{"image": uint8 (1, 3, H, W)} -> scores of the 8-bit reconstructions, (T,) each."""
        image = batch["image"]
        steps = unroll(self.network, from_uint8(image), iterations=self.network.iterations)
        pictures = torch.cat([to_uint8(step.x_hat) for step in steps])
        references = image.expand_as(pictures)
        large = metrics.defined("ms_ssim", *image.shape[-2:])
        return {
            "psnr_rgb": metrics.psnr_rgb(references, pictures),
            "ms_ssim": metrics.ms_ssim(references, pictures) if large else None,
        }

    def configure_optimizers(self) -> Optimizer:
        """The optimiser; its learning rate is set by the schedule callback before each step."""
        return self.optimizer(self.network.parameters())

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
