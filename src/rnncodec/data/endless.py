"""What all data modules share: endless batches by global sample index, divided among devices."""

from typing import ClassVar

from lightning import LightningDataModule

from rnncodec.data.crops import EndlessBatches
from rnncodec.errors import ConfigError


class EndlessData(LightningDataModule):
    """Batches of `batch_size` samples of all devices together, from the trainer's position on.

    Sample `index` of the whole run is a function of the seed and of `index` alone, so a run that
    goes on at another step, device count or worker count sees what an undisturbed one would see.
    """

    group: ClassVar[str] = "data"
    """Where its settings stand in the configuration, for messages."""

    batch_size: int

    def batches(self) -> EndlessBatches:
        """This device's share of every batch.

        Raises:
            ConfigError: the batch cannot be divided among the devices.
        """
        rank, ranks = self.rank()
        if self.batch_size % ranks:
            raise ConfigError(
                f"{self.group}.batch_size={self.batch_size} cannot be divided among {ranks} "
                f"devices; use a multiple of {ranks}"
            )
        return EndlessBatches(self.position, self.batch_size, rank=rank, ranks=ranks)

    def rank(self) -> tuple[int, int]:
        """Which of how many devices this is."""
        if self.trainer is None:
            return 0, 1
        return self.trainer.global_rank, self.trainer.world_size

    def position(self) -> int:
        """The global index of the next sample of the attached trainer."""
        if self.trainer is None:
            return 0
        return self.trainer.global_step * self.trainer.accumulate_grad_batches * self.batch_size

    def on_cuda(self) -> bool:
        """Whether batches go to a GPU."""
        return self.trainer is not None and self.trainer.strategy.root_device.type == "cuda"
