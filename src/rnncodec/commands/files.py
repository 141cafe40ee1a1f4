"""Files to files: which becomes which, and what is said while a command goes through them."""

import os
import stat
import sys
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.text import Text

from rnncodec.coding.chunks import read_all
from rnncodec.errors import (
    ConfigError,
    DataError,
    RNNCodecError,
    RNNCodecWarning,
    StorageError,
)
from rnncodec.images.reading import walk
from rnncodec.machine.progress import progress_bar
from rnncodec.machine.storage import printable, refuse_irregular, write_bytes

RNC = ".rnc"
"""The suffix of compressed files."""

STREAM = "-"
"""Standard input as an input, standard output as an output."""


@dataclass(frozen=True)
class Job:
    """One file to turn into another; None is standard input or output."""

    source: Path | None
    target: Path | None

    @property
    def name(self) -> str:
        """What messages call the input."""
        return "standard input" if self.source is None else str(self.source)

    @property
    def target_name(self) -> str:
        """What messages call the output."""
        return "standard output" if self.target is None else str(self.target)

    def read(self) -> bytes:
        """The whole input; raises DataError where it is missing or cannot be read."""
        if self.source is None:
            return read_all(sys.stdin.buffer)
        check_input(self.source)
        try:
            return self.source.read_bytes()
        except OSError as error:
            raise DataError(f"{self.name}: cannot be read ({error.strerror or error})") from error

    def check_target(self, *, force: bool) -> None:
        """Refuse, before any work, an output that is there or cannot be written."""
        if self.target is None:
            if sys.stdout.isatty():
                raise ConfigError("standard output is a terminal; redirect it, or name an output")
            return
        refuse_irregular(self.target)
        if self.target.exists() and not force:
            raise StorageError(f"{self.target}: exists; --force replaces it")

    def write(self, data: bytes) -> None:
        """Write the whole output or none of it; raises StorageError or BrokenPipeError."""
        if self.target is not None:
            write_bytes(self.target, data)
            return
        try:
            sys.stdout.buffer.write(data)
            sys.stdout.buffer.flush()
        except BrokenPipeError:
            raise
        except OSError as error:
            drop_stdout()
            raise StorageError(unwritable_stdout(error)) from error


@dataclass(frozen=True)
class Direction:
    """What a command reads and writes."""

    suffix: str  # of outputs that are not named one by one
    is_output: Callable[[Path], bool]  # whether a name can only be that of an output
    find: Callable[[Path], list[Path]]  # the inputs under a folder
    endings: str  # how outputs end, in words
    keep_extension: bool = False  # then the suffix follows the input's own

    def renamed(self, path: Path) -> Path:
        """The name of an output, from that of its input."""
        if self.keep_extension:
            return path.with_name(path.name + self.suffix)
        return path.with_suffix(self.suffix)


def plan(
    arguments: list[str],
    out: Path | None,
    direction: Direction,
    *,
    force: bool = False,
    skip_existing: bool = False,
) -> list[Job]:
    """The jobs that a command's arguments ask for, as `cp` would read them.

    The last of several arguments is the destination if it can be one: a folder (or a name that
    ends in a slash), ``-``, or a name with an output's suffix. With ``out`` all arguments are
    inputs. Without a destination each output is written beside its input, and that of standard
    input to standard output. A folder stands for the inputs under it, whose relative paths are
    the same in the output folder. With ``skip_existing`` those are left out whose output exists:
    outputs are always whole.

    Raises:
        ConfigError: several inputs for one file; an output that is an input; two for one output;
            existing outputs to be both replaced and passed over.
        DataError: an input that is not there, or neither file nor folder; a folder without
            inputs.
    """
    if force and skip_existing:
        raise ConfigError("give at most one of --force and --skip-existing")
    inputs, destination = arguments, None
    if out is None and len(arguments) > 1:
        *others, last = arguments
        new_folder = len(others) == 1 and Path(others[0]).is_dir() and not Path(last).exists()
        named = last == STREAM or direction.is_output(Path(last))
        if named or new_folder or looks_like_folder(last):
            inputs, destination = others, last
    pairs = list(inputs_of(inputs, direction, in_place=destination is None and out is None))
    folder = out
    if destination is not None and destination != STREAM:
        many = len(pairs) > 1 or any(Path(argument).is_dir() for argument in inputs)
        created = many and not direction.is_output(Path(destination))
        if created or looks_like_folder(destination):
            folder = Path(destination)
    if folder is None and destination is not None and len(pairs) > 1:
        raise ConfigError(f"{len(pairs)} inputs cannot go to one {destination}; give --out DIR")
    jobs = []
    for source, relative in pairs:
        if folder is not None:
            if source is None:
                raise ConfigError(f"standard input has no name: name its output in {folder}")
            target: Path | None = folder / direction.renamed(relative)
        elif destination is not None:
            target = None if destination == STREAM else Path(destination)
        else:
            target = None if source is None else direction.renamed(source)
        jobs.append(Job(source, target))
    refuse_clashes(jobs)
    if not skip_existing:
        return jobs
    return [job for job in jobs if job.target is None or not job.target.exists()]


def looks_like_folder(argument: str) -> bool:
    """Whether it is a folder, or ends in a slash as only a folder does."""
    return Path(argument).is_dir() or argument.endswith(("/", os.sep))


def inputs_of(
    arguments: list[str], direction: Direction, *, in_place: bool
) -> Iterator[tuple[Path | None, Path]]:
    """The inputs arguments stand for, each with its path relative to where outputs go."""
    hint = ""
    if len(arguments) > 1 and in_place:
        hint = (
            f"; nor is it an output: those end {direction.endings}, and a folder that is not "
            "there yet is named with --out, or with a slash at its end"
        )
    for argument in arguments:
        if argument != STREAM:
            check_input(Path(argument), hint if argument == arguments[-1] else "")
    *others, last = (Path(argument).resolve() for argument in arguments)
    if in_place and last in others and last.is_file():  # it was meant as the output
        raise ConfigError(
            f"{arguments[-1]}: is an input and cannot be the output as well: outputs end "
            f"{direction.endings}"
        )
    for argument in arguments:
        path = Path(argument)
        if argument == STREAM:
            yield None, Path()
        elif path.is_dir():
            yield from ((found, found.relative_to(path)) for found in direction.find(path))
        else:
            yield path, Path(path.name)


def find_files(folder: Path) -> list[Path]:
    """The .rnc files under a folder that are not hidden there; DataError if there is none."""
    found = sorted(path for path in walk(folder) if path.suffix == RNC and path.is_file())
    if not found:
        raise DataError(f"no {RNC} files under {folder}")
    return found


def refuse_clashes(jobs: list[Job]) -> None:
    """Raise ConfigError if an output is also an input, or that of two inputs."""
    given = Counter(job.source.resolve() for job in jobs if job.source is not None)
    for source, times in given.items():
        if times > 1:
            raise ConfigError(f"{source}: is given {times} times as an input")
    taken: dict[Path, Job] = {}
    for job in jobs:
        if job.target is None:
            continue
        target = job.target.resolve()
        if target in given:
            raise ConfigError(f"{job.target}: is an input; choose another output")
        if target in taken:
            raise ConfigError(
                f"{taken[target].name} and {job.name} would both become {job.target}; name their "
                "outputs one by one, or rename one (compress has --keep-extension)"
            )
        taken[target] = job


def check_input(path: Path, hint: str = "") -> None:
    """Raise DataError unless it is a file or a folder: a device might never end."""
    try:
        mode = path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError) as error:
        raise DataError(f"{path}: no such file{hint}") from error
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror or error})") from error
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
        raise DataError(
            f"{path}: is neither a file nor a folder{hint}; a pipe is read with {STREAM}"
        )


def unwritable_stdout(error: OSError) -> str:
    """What to say of standard output that takes no more."""
    return f"standard output: could not be written ({error.strerror or error})"


def drop_stdout() -> None:
    """Let go of what standard output does not take: Python would try again at its end."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)


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

    def note(self, text: str) -> None:
        """One line about the whole, to stderr."""
        if not self.quiet:
            self._to_stderr(f"rnncodec: {text}")

    @contextmanager
    def working_on(self, *names: str, fatal: type[Exception] | None = None) -> Iterator[None]:
        """Report our warnings and our error in the block, which is then over, and go on.

        Errors of class ``fatal`` are not that of the files ``names``: they end the command.
        """
        name = names[0] + (f" and {len(names) - 1} more" if len(names) > 1 else "")
        self.doing = f"{self.verb} {name}"
        self.progress.update(self.task, description=self.doing)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always", RNNCodecWarning)
            failure: RNNCodecError | None = None
            try:
                yield
            except RNNCodecError as error:
                if fatal is not None and isinstance(error, fatal):
                    raise
                failure = error
            finally:
                ours = [w for w in caught if issubclass(w.category, RNNCodecWarning)]
                for warning in ours:
                    self.warn(name, str(warning.message))
        if failure is not None:
            self.failures += len(names)
            text = str(failure)
            self._to_stderr(f"rnncodec: {text if names[0] in text else f'{names[0]}: {text}'}")
        for warning in caught:
            if warning not in ours:
                warnings.warn_explicit(
                    warning.message, warning.category, warning.filename, warning.lineno
                )

    def step(self, done: int, steps: int) -> None:
        """So many steps of what is worked on are done."""
        self.progress.update(self.task, description=f"{self.doing}: step {done} of {steps}")

    def done(self, count: int = 1) -> None:
        """So many more files are done, well or not."""
        self.progress.advance(self.task, count)

    def warn(self, name: str, text: str) -> None:
        """One line about something that was done otherwise than asked."""
        self._to_stderr(f"rnncodec: warning: {name}: {text}")

    def _to_stderr(self, text: str) -> None:
        one_line = Text(" ".join(text.split()))
        self.console.print(one_line, soft_wrap=True, highlight=False)
