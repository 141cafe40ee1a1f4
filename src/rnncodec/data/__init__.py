"""Photographs: reading, cropping, held-out sets, the LightningDataModule."""
