"""What the `rnncodec` command does, one module per command.

Modules that do the work are imported inside the commands: `rnncodec --help` waits for no torch.
"""
