"""Entropy models of the codes (paper section 5): floats to train, integers to code with."""

from rnncodec.entropy.integer import IntegerModel, quantize
from rnncodec.entropy.lookup import model_class
from rnncodec.entropy.model import EntropyModel, bits_per_bit

__all__ = [
    "EntropyModel",
    "IntegerModel",
    "bits_per_bit",
    "model_class",
    "quantize",
]
