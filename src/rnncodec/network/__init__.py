"""The network of section 3: what to read to understand the paper, beside the paper itself.

``unroll`` is the iteration, ``autoencoder`` its three parts, ``cells/`` and ``recon/`` what they
are built from.
"""
