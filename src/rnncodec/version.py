"""The version of the package: one string, read by the build, the CLI and the caches."""

__version__ = "0.1.0"
