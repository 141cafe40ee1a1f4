#!/usr/bin/env bash
# Lightning divides the last accumulated step by batches that it never saw.
#
# Guess: with accumulate_grad_batches=4 and 5 batches, the second step, of one batch, is that
#   batch's gradient: an average of as many batches as there were.
# Behaviour: the step is taken, and every loss is divided by 4 whatever comes: the gradient is a
#   quarter of that batch's.
# Why it matters: each epoch whose number of batches is no multiple of 4 ends with a step whose
#   gradient is too small for SGD and for clipping; in epochs of 5 batches, it is every second step.
# Output:
#   lightning 2.6.6
#   every batch has the gradient 1; the steps have [1.0, 0.25]
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --no-compile torch==2.13.0 lightning==2.6.6 numpy==2.4.6
"$folder/venv/bin/python" - <<'PY'
import logging
import warnings

import lightning
import torch
from lightning.pytorch import LightningModule, Trainer

print("lightning", lightning.__version__)
warnings.simplefilter("ignore")
logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)


class Model(LightningModule):
    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(1))
        self.gradients: list[float] = []

    def training_step(self, batch: torch.Tensor, index: int) -> torch.Tensor:
        return (self.weight * batch).mean()

    def on_before_optimizer_step(self, optimizer: torch.optim.Optimizer) -> None:
        self.gradients.append(self.weight.grad.item())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), 0.1)


model = Model()
trainer = Trainer(
    accelerator="cpu",
    max_epochs=1,
    accumulate_grad_batches=4,
    logger=False,
    enable_checkpointing=False,
    enable_progress_bar=False,
    enable_model_summary=False,
)
trainer.fit(model, torch.utils.data.DataLoader(torch.ones(5, 1), batch_size=1))
print("every batch has the gradient 1; the steps have", model.gradients)
assert model.gradients == [1.0, 0.25], "the last step is an average now"
PY
