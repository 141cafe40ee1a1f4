"""Entropy models of the codes (paper section 5): floats to train, integers to code with."""

from rnncodec.entropy.integer import IntegerModel, quantize, smooth
from rnncodec.entropy.model import EntropyModel, bits_per_bit, model_class
from rnncodec.entropy.wavefront import Wavefront

__all__ = [
    "EntropyModel",
    "IntegerModel",
    "Wavefront",
    "bits_per_bit",
    "model_class",
    "quantize",
    "smooth",
]
