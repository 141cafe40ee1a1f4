"""Bytes in, integers out: container and range coder; knows no network.

The format is specified in FORMAT.md beside this file. To write: code each iteration's bits with
`encode`, tile by tile, in `position_order`; hand codes and payloads to `write`. To read: `parse`
(or feed a `Reader`), decode each `Segment`, and let it `verify` the codes.

>>> import numpy as np
>>> header = Header(width=16, height=16, iterations=1, fingerprint=bytes(16))
>>> codes = np.zeros((1, 1, 32), np.uint8)
>>> probabilities = np.full(32, 1000)  # the model: P(bit = 1) in 1/65536
>>> data = write(header, [Iteration(codes, [encode(codes.ravel(), probabilities)])])
>>> parsed = parse(data)
>>> bits = parsed.segments[0].decoder().decode(probabilities)
>>> parsed.segments[0].verify(bits.reshape(header.code_shape))
"""

from rnncodec.bitstream.coder import CutDecoder, Decoder, encode
from rnncodec.bitstream.header import ColourMode, Header, Tile
from rnncodec.bitstream.inspection import Info, info, sending_shares, truncate
from rnncodec.bitstream.mask import Mask, position_order
from rnncodec.bitstream.reader import End, Event, NeedData, Parsed, Reader, cut_segment, parse
from rnncodec.bitstream.segment import Codes, Segment, SegmentMode, sending
from rnncodec.bitstream.writer import Iteration, write
from rnncodec.geometry import UNSENT

__all__ = [
    "UNSENT",
    "Codes",
    "ColourMode",
    "CutDecoder",
    "Decoder",
    "End",
    "Event",
    "Header",
    "Info",
    "Iteration",
    "Mask",
    "NeedData",
    "Parsed",
    "Reader",
    "Segment",
    "SegmentMode",
    "Tile",
    "cut_segment",
    "encode",
    "info",
    "parse",
    "position_order",
    "sending",
    "sending_shares",
    "truncate",
    "write",
]
