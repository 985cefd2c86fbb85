"""The command line: `datalchemy VERB ...`; one file of commands/ a verb or a few related ones.

Exit codes: 0 done, 1 internal error, 2 bad recipe or usage, 3 target not reached, 4 an `accept` threshold missed,
5 a backend that cannot answer, 130 interrupted.
"""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, NoReturn

import click

from .. import __version__

VERBS: Mapping[str, str] = {
    "run": "run",
    "validate": "check",
    "preview": "check",
    "explain": "explain",
    "judge": "judge",
    "recipes": "recipes",
    "init": "recipes",
    "parts": "parts",
    "prompts": "parts",
    "models": "models",
    "store": "store",
    "doctor": "doctor",
}
"""Verb -> file of commands/."""


class Face(click.Group):
    """Loads a command's file when it is called for, and turns every way to end into one message and one exit code."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in VERBS:
            return None
        command: click.Command = getattr(import_module(f".commands.{VERBS[cmd_name]}", __package__), cmd_name)
        return command

    def resolve_command(self, ctx: click.Context, args: list[str]) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in VERBS and not args[0].startswith("-"):
            from ..core.errors import nearest

            raise click.UsageError(f"no command {args[0]!r}; {nearest(args[0], VERBS)}", ctx)
        return super().resolve_command(ctx, args)

    def main(self, args: Sequence[str] | None = None, prog_name: str | None = None, **extra: Any) -> NoReturn:  # type: ignore[override]
        words = list(sys.argv[1:] if args is None else args)
        extra.update(standalone_mode=False, obj=words)
        try:
            code = super().main(words, prog_name or "datalchemy", **extra)
        except click.ClickException as error:
            error.show()
            code = error.exit_code
        except click.Abort:
            click.echo("interrupted", err=True)
            code = 130
        except Exception as error:
            code = _told(error, words)
        sys.exit(code if isinstance(code, int) else 0)


def _told(error: Exception, words: list[str]) -> int:
    """Says what went wrong on stderr; the exit code."""
    from ..core.errors import DatalchemyError
    from .terminal import clean

    if os.environ.get("DATALCHEMY_DEBUG"):
        import traceback

        traceback.print_exception(error)
    if isinstance(error, DatalchemyError):
        click.echo(f"error: {clean(str(error))}", err=True)
        return error.exit_code
    click.echo(
        f"internal error: {clean(f'{type(error).__name__}: {error}')[:500]}\n"
        f"This is a fault of datalchemy, not of your recipe; what was paid for is kept. {_kept(error, words)}",
        err=True,
    )
    return 1


def _kept(error: Exception, words: list[str]) -> str:
    """Writes the details to a file, and says where they are."""
    import platform
    import shlex
    import tempfile
    import traceback

    text = f"datalchemy {__version__}, Python {platform.python_version()}, {platform.platform()}\n{shlex.join(words)}\n\n"
    try:
        file, name = tempfile.mkstemp(prefix="datalchemy-error-", suffix=".txt")
        os.close(file)
        Path(name).write_text(text + "".join(traceback.format_exception(error)), "utf-8", "backslashreplace")
    except OSError:
        return "Run it again with DATALCHEMY_DEBUG=1 for the details, and report them."
    return f"The details are in {name}: please report them with the recipe."


@click.group(cls=Face, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120})
@click.version_option(__version__, prog_name="datalchemy")
def cli() -> None:
    """Synthetic data for LLM post-training: from a recipe to exactly N verified records.

    Start with `datalchemy run cold-start-cot`, then `datalchemy init NAME` for a recipe of your own.
    """


def main() -> NoReturn:
    """The entry point of the console script."""
    gc.set_threshold(50_000, 20, 50)  # a run makes few cycles; at Python's default a tenth of its time went into looking for them
    cli.main()
