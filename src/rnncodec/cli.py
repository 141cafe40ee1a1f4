"""The `rnncodec` command; every error a user can cause is one line and exit code 2."""

import errno
import io
import os
import sys
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from rnncodec import plugins
from rnncodec.commands.compare import compare
from rnncodec.commands.compress import compress
from rnncodec.commands.conformance import conformance
from rnncodec.commands.curves import curves
from rnncodec.commands.decompress import decompress
from rnncodec.commands.evaluate import evaluate
from rnncodec.commands.export import export
from rnncodec.commands.files import drop_stdout, unwritable_stdout
from rnncodec.commands.info import info
from rnncodec.commands.models import models
from rnncodec.commands.prepare import prepare
from rnncodec.commands.serve import serve
from rnncodec.commands.status import status
from rnncodec.commands.truncate import truncate
from rnncodec.commands.verify import verify
from rnncodec.errors import ConfigError, RNNCodecError
from rnncodec.version import __version__

# Modules that do the work are imported inside the commands: `rnncodec --help` waits for no torch.

app = typer.Typer(
    help="Progressive image compression with recurrent neural networks.",
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
)

FILES = (compress, decompress, info, truncate, verify, export, serve, conformance)
TRAINING = (models, evaluate, compare, curves, status, prepare)
for command in (*FILES, *TRAINING):
    app.command()(command)

FETCHABLE = ("kodak",)


def main() -> None:
    """Run the command; a RNNCodecError becomes one line on stderr and exit code 2.

    So does an error of standard output (a full disk); without a reader it ends without a word.
    """
    if isinstance(sys.stdout, io.TextIOWrapper):  # as stderr: a name need not be UTF-8
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        app()
    except RNNCodecError as error:
        fail(str(error))
    except OSError as error:
        # Without a name it is that of a stream: files are written by `rnncodec.machine.storage`.
        no_room = error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)
        if error.filename is not None or not no_room:
            raise
        drop_stdout()
        fail(unwritable_stdout(error))
    finally:
        try:
            sys.stdout.flush()
        except BrokenPipeError:
            drop_stdout()
            sys.exit(1)
        except OSError as error:
            drop_stdout()
            fail(unwritable_stdout(error))


def fail(text: str) -> NoReturn:
    """Say what is wrong in one line, and end."""
    typer.echo(f"rnncodec: {' '.join(text.split())}", err=True)
    sys.exit(2)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(__version__)
        raise typer.Exit


Version = Annotated[
    bool,
    typer.Option("--version", help="Print the version.", is_eager=True, callback=_print_version),
]


Plugin = Annotated[
    list[str] | None,
    typer.Option(
        metavar="MODULE",
        help="A module with cells, metrics, ... of your own, before the command; once for each. "
        f"Those of installed packages need no mention. Also: {plugins.VARIABLE}=MODULE,...",
    ),
]


@app.callback()
def options(version: Version = False, plugin: Plugin = None) -> None:
    """Progressive image compression with recurrent neural networks."""
    if plugin:
        plugins.give(*plugin)
        before = os.environ.get(plugins.VARIABLE)  # which the processes of a command inherit
        os.environ[plugins.VARIABLE] = ",".join([*([before] if before else []), *plugin])


@app.command()
def fetch(
    name: Annotated[
        str, typer.Argument(metavar="NAME", help=f"What to download: {', '.join(FETCHABLE)}.")
    ],
    to: Annotated[
        Path | None,
        typer.Option(help="Folder; default: $RNNCODEC_DATA/NAME, or the user's cache folder."),
    ] = None,
) -> None:
    """Download a public image set, checked against its SHA-256 sums."""
    if name not in FETCHABLE:
        raise ConfigError(f"nothing named {name!r} to fetch; valid: {', '.join(FETCHABLE)}")
    from rnncodec.data.evaluation_sets import fetch_kodak

    typer.echo(fetch_kodak(to))
