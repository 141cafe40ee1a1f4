"""Which file becomes which: the arguments of a command that turns files into files."""

import os
import stat
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from rnncodec.coding.chunks import read_all
from rnncodec.errors import ConfigError, DataError, StorageError
from rnncodec.images.reading import walk
from rnncodec.machine.storage import refuse_irregular, write_bytes

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


@dataclass(frozen=True)
class Direction:
    """What a command reads and writes.

    Attributes:
        suffix: of outputs that are not named one by one.
        is_output: whether a name (by its suffix) can only be that of an output.
        find: the inputs under a folder.
        endings: how outputs end, in words.
        keep_extension: whether ``suffix`` follows the input's own instead of replacing it.
    """

    suffix: str
    is_output: Callable[[Path], bool]
    find: Callable[[Path], list[Path]]
    endings: str
    keep_extension: bool = False

    def renamed(self, path: Path) -> Path:
        """The name of an output, from that of its input."""
        if self.keep_extension:
            return path.with_name(path.name + self.suffix)
        return path.with_suffix(self.suffix)


def plan(arguments: list[str], out: Path | None, direction: Direction) -> list[Job]:
    """The jobs that a command's arguments ask for, as `cp` would read them.

    The last of several arguments is the destination if it can be one: a folder (or a name that
    ends in a slash), ``-``, or a name with an output's suffix. With ``out`` all arguments are
    inputs. Without a destination each output is written beside its input, and that of standard
    input to standard output. A folder stands for the inputs under it, whose relative paths are
    the same in the output folder.

    Raises:
        ConfigError: several inputs for one file; an output that is an input; two for one output.
        DataError: an input that is not there, or neither file nor folder; a folder without
            inputs.
    """
    inputs, destination = split(arguments, out, direction)
    in_place = destination is None and out is None
    hint = ""
    if len(inputs) > 1 and in_place:
        hint = (
            f"; nor is it an output: those end {direction.endings}, and a folder that is not "
            "there yet is named with --out, or with a slash at its end"
        )
    for argument in inputs:
        if argument != STREAM:
            check_input(Path(argument), hint if argument == arguments[-1] else "")
    *others, last = (Path(argument).resolve() for argument in inputs)
    if in_place and last in others and last.is_file():  # it was meant as the output
        raise ConfigError(
            f"{inputs[-1]}: is an input and cannot be the output as well: outputs end "
            f"{direction.endings}"
        )
    pairs = [pair for argument in inputs for pair in expand(argument, direction)]
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
    return jobs


def split(
    arguments: list[str], out: Path | None, direction: Direction
) -> tuple[list[str], str | None]:
    """The inputs, and the destination if the last argument is one."""
    *inputs, last = arguments
    if out is not None or not inputs:
        return arguments, None
    path = Path(last)
    new_folder = Path(inputs[0]).is_dir() and len(inputs) == 1 and not path.exists()
    if last == STREAM or looks_like_folder(last) or new_folder or direction.is_output(path):
        return inputs, last
    return arguments, None


def looks_like_folder(argument: str) -> bool:
    """Whether it is a folder, or ends in a slash as only a folder does."""
    return Path(argument).is_dir() or argument.endswith(("/", os.sep))


def expand(argument: str, direction: Direction) -> Iterator[tuple[Path | None, Path]]:
    """The inputs an argument stands for, each with its path relative to where outputs go."""
    path = Path(argument)
    if argument == STREAM:
        yield None, Path()
    elif path.is_dir():
        for found in direction.find(path):
            yield found, found.relative_to(path)
    else:
        yield path, Path(path.name)


def find_files(folder: Path) -> list[Path]:
    """The .rnc files under a folder that are not hidden there, at least one.

    Raises:
        DataError: there is none.
    """
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


def to_do(jobs: list[Job], *, force: bool, skip_existing: bool) -> list[Job]:
    """The jobs, where asked for without those whose output exists: outputs are always whole.

    Raises:
        ConfigError: existing outputs are to be both replaced and passed over.
    """
    if not skip_existing:
        return jobs
    if force:
        raise ConfigError("give at most one of --force and --skip-existing")
    return [job for job in jobs if job.target is None or not job.target.exists()]


def check_input(path: Path, hint: str = "") -> None:
    """Refuse what cannot be read as a whole; a device might never end.

    Raises:
        DataError: it is not there, or neither a file nor a folder.
    """
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


def read(job: Job) -> bytes:
    """The whole input.

    Raises:
        DataError: it is missing or cannot be read.
    """
    if job.source is None:
        return read_all(sys.stdin.buffer)
    check_input(job.source)
    try:
        return job.source.read_bytes()
    except OSError as error:
        raise DataError(f"{job.name}: cannot be read ({error.strerror or error})") from error


def check_target(job: Job, *, force: bool) -> None:
    """Refuse, before any work, an output that cannot be written.

    Raises:
        ConfigError: standard output is a terminal.
        StorageError: the file exists, and ``force`` is not given; it is a folder or a device.
    """
    if job.target is None:
        if sys.stdout.isatty():
            raise ConfigError("standard output is a terminal; redirect it, or name an output")
        return
    refuse_irregular(job.target)
    if job.target.exists() and not force:
        raise StorageError(f"{job.target}: exists; --force replaces it")


def write(job: Job, data: bytes) -> None:
    """Write the whole output or none of it.

    Raises:
        StorageError: it could not be written.
        BrokenPipeError: nobody reads standard output any more.
    """
    if job.target is not None:
        write_bytes(job.target, data)
        return
    try:
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        drop_stdout()
        raise StorageError(unwritable_stdout(error)) from error


def unwritable_stdout(error: OSError) -> str:
    """What to say of standard output that takes no more."""
    return f"standard output: could not be written ({error.strerror or error})"


def drop_stdout() -> None:
    """Let go of what standard output does not take: Python would try again at its end."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)
