"""Between an image and the bytes of a file: the parts that `rnncodec.codec` puts together.

``input_image`` -> ``transform`` (the network, tile by tile) -> ``entropy_coding`` -> bitstream;
``encoding`` and ``adaptive_encoding`` decide how many bits go where.
"""
