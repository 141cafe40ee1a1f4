"""Bytes in, integers out: container and range coder; knows no network."""
