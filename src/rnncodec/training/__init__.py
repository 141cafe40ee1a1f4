"""Losses, schedule, callbacks and the LightningModule; imported only with the [train] extra."""
