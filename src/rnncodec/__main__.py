"""`python -m rnncodec` is the `rnncodec` command."""

from rnncodec.cli import main

if __name__ == "__main__":
    main()
