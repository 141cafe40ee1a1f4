"""What a command says while it goes through many files: progress, results, warnings, errors."""

import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.text import Text

from rnncodec.errors import RNNCodecError, RNNCodecWarning
from rnncodec.machine.names import printable
from rnncodec.machine.progress import progress_bar


class Reporter:
    """Progress on a terminal, one line per result, warning and error; counts the errors.

    Args:
        total: how many files there are.
        verb: what is done to them, for the progress bar.
        quiet_stdout: results go to stderr, since stdout takes the output itself.
        quiet: neither results nor progress.
    """

    def __init__(
        self, total: int, verb: str, *, quiet_stdout: bool = False, quiet: bool = False
    ) -> None:
        self.quiet_stdout = quiet_stdout
        self.quiet = quiet
        self.failures = 0
        self.console = Console(stderr=True)
        self.progress = progress_bar(console=self.console, hidden=quiet)
        self.verb = self.doing = verb
        self.task = self.progress.add_task(verb, total=total)

    def __enter__(self) -> "Reporter":
        self.progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.progress.stop()

    @property
    def exit_code(self) -> int:
        """2 if a file failed, else 0."""
        return 2 if self.failures else 0

    def result(self, text: str) -> None:
        """One line about a file that is done."""
        if self.quiet:
            return
        text = printable(text)
        if self.quiet_stdout or (sys.stdout.isatty() and self.console.is_terminal):
            self._to_stderr(text)
        else:
            sys.stdout.write(f"{text}\n")

    @contextmanager
    def working_on(self, *names: str, fatal: type[Exception] | None = None) -> Iterator[None]:
        """Report warnings and the error of the block, which is then over, and go on.

        Args:
            names: the files it works on.
            fatal: errors of this class are not the file's: they end the command.
        """
        more = f" and {len(names) - 1} more" if len(names) > 1 else ""
        self.doing = f"{self.verb} {names[0]}{more}"
        self.progress.update(self.task, description=self.doing)
        try:
            with self._warnings_of(names[0] + more):
                yield
        except RNNCodecError as error:
            if fatal is not None and isinstance(error, fatal):
                raise
            self.failures += len(names)
            text = str(error)
            self._to_stderr(f"rnncodec: {text if names[0] in text else f'{names[0]}: {text}'}")

    def step(self, done: int, steps: int) -> None:
        """So many steps of what is worked on are done."""
        self.progress.update(self.task, description=f"{self.doing}: step {done} of {steps}")

    def done(self, count: int = 1) -> None:
        """So many more files are done, well or not."""
        self.progress.advance(self.task, count)

    def warn(self, name: str, text: str) -> None:
        """One line about something that was done otherwise than asked."""
        self._to_stderr(f"rnncodec: warning: {name}: {text}")

    @contextmanager
    def _warnings_of(self, name: str) -> Iterator[None]:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always", RNNCodecWarning)
            try:
                yield
            finally:
                ours = [w for w in caught if issubclass(w.category, RNNCodecWarning)]
                for warning in ours:
                    self.warn(name, str(warning.message))
        for warning in caught:
            if warning not in ours:
                warnings.warn_explicit(
                    warning.message, warning.category, warning.filename, warning.lineno
                )

    def _to_stderr(self, text: str) -> None:
        one_line = Text(" ".join(text.split()))
        self.console.print(one_line, soft_wrap=True, highlight=False)
