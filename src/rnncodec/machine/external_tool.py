"""Programs that may be on this machine's PATH, run with bounds on their time."""

import functools
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from rnncodec.errors import DataError

TIMEOUT = 120.0
"""Seconds that a program may take for one file."""

REPEATED = 300
"""How many characters of what a program prints an error repeats."""


@dataclass(frozen=True)
class Tool:
    """A program, by its name on PATH.

    Attributes:
        program: its name.
        package: what it comes in, for people.
    """

    program: str
    package: str

    def missing(self) -> str | None:
        """Why it cannot be run; None if it can."""
        if shutil.which(self.program) is None:
            return f"{self.program} is not on PATH; install {self.package}"
        return None

    def run(self, *arguments: str, cwd: Path, timeout: float = TIMEOUT) -> str | None:
        """Run it in a folder: None if it ended well, else the end of what it printed.

        Raises:
            DataError: it took longer than ``timeout`` seconds, or could not be started.
        """
        try:
            done = subprocess.run(
                (self.program, *arguments),
                cwd=cwd,
                timeout=timeout,
                check=False,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
            )
        except subprocess.TimeoutExpired as error:
            raise DataError(
                f"{self.program}: expected an answer within {timeout:g} s, got none; it was ended"
            ) from error
        except OSError as error:
            raise DataError(f"{self.program}: cannot be started: {error}") from error
        output = done.stdout.decode(errors="replace").strip()[-REPEATED:]
        return None if done.returncode == 0 else output or f"exit code {done.returncode}"

    def says(self, argument: str) -> str:
        """What it prints with one argument, such as ``--version``; "" if it cannot be run."""
        path = shutil.which(self.program)
        return "" if path is None else said(path, argument)


@functools.cache
def said(path: str, argument: str) -> str:
    """What the program at a path prints with one argument, whatever its exit code."""
    try:
        done = subprocess.run(
            (path, argument),
            timeout=10,
            check=False,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.decode(errors="replace")
