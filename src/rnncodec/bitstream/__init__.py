"""Bytes in, integers out: container and range coder; knows no network."""

from rnncodec.bitstream.coder import Decoder, encode
from rnncodec.bitstream.order import position_order

__all__ = ["Decoder", "encode", "position_order"]
