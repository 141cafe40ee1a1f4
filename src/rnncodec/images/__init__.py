"""Images as arrays and tensors: read from any file, padded to blocks, compared."""
