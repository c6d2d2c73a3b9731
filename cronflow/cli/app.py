"""The `cronflow` command: global options, and the commands, each loaded when it is called.

A new command is one file here, with a function `command` whose docstring is its help, and one line in COMMANDS.
"""

import importlib
import os
from typing import Annotated, Any, NamedTuple

import typer
from typer.core import TyperGroup

from cronflow import __version__
from cronflow.cli.output import complain, settle, tell
from cronflow.errors import BadPipeline, CronflowError, WrongUse

# name: the line that `cronflow --help` shows. The module is `cronflow.cli.NAME`, `-` as `_`.
COMMANDS = {
    "run": "Run a pipeline now, in the foreground.",
    "status": "Show what ran, what runs, and what is next.",
    "logs": "Show what a run's tasks printed.",
    "validate": "Check pipeline files; every error with its line.",
    "list": "List the pipelines.",
    "graph": "Draw a pipeline's tasks and what they need.",
    "new": "Write a commented pipeline file to start from.",
    "schema": "Print the JSON Schema of a pipeline file.",
}

PLAIN: dict[str, Any] = {"add_completion": False, "rich_markup_mode": None, "pretty_exceptions_enable": False}
PIPELINES_HELP = "Where the pipeline files are. Default: ~/.config/cronflow/pipelines; root's /etc/cronflow/pipelines."
STATE_HELP = "Where the history is kept. Default: ~/.local/state/cronflow; root's /var/lib/cronflow."
HELP_OPTIONS = {"help_option_names": ["-h", "--help"]}


class Places(NamedTuple):
    """Where the pipelines and the state are, as typed. Not every command needs both: each is worked out when asked for.

    Both raise WrongUse where nothing was named and there is no home directory for the default place.
    """

    typed_pipelines_dir: str | None
    typed_state_dir: str | None
    # How a command begins that is to be typed next: with the state directory where that was an option too.
    prefix: str = "cronflow"

    @property
    def pipelines_dir(self) -> str:
        """Absolute."""
        option = "--pipelines-dir"
        return named(option, self.typed_pipelines_dir) or default_dir(
            option, "XDG_CONFIG_HOME", ".config", "/etc", "pipelines"
        )

    @property
    def state_dir(self) -> str:
        """Absolute, and UTF-8: the records name it."""
        from cronflow.problem import is_utf8

        option = "--state-dir"
        path = named(option, self.typed_state_dir) or default_dir(
            option, "XDG_STATE_HOME", ".local/state", "/var/lib", ""
        )
        if not is_utf8(path):
            raise WrongUse(f"{path}: the path is not UTF-8: name another one with {option}")
        return path


class Commands(TyperGroup):
    """Lists all commands from the table above, and imports only the one that is called."""

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002 - the signature is the library's
        """The names, in the order of the table."""
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:  # noqa: ARG002 - the signature is the library's
        """The command, from its module. None where there is no such command."""
        return load_command(cmd_name) if cmd_name in COMMANDS else None

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """The command that the words begin with. Raises WrongUse, with the nearest one, where there is none."""
        if args[0] not in COMMANDS:
            from cronflow.nearest import did_you_mean

            raise WrongUse(f"no command '{args[0]}'{did_you_mean(args[0], COMMANDS)}\n{hint(args)}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: Any, formatter: Any) -> None:  # noqa: ARG002 - the signature is the library's
        """The list in `--help`, without loading any of them."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


def load_command(name: str) -> Any:
    """The command's object, ready to be invoked."""
    module = importlib.import_module("cronflow.cli." + name.replace("-", "_"))
    single = typer.Typer(**PLAIN)
    single.command(name=name, context_settings=HELP_OPTIONS)(module.command)
    return typer.main.get_command(single)


app = typer.Typer(cls=Commands, context_settings=HELP_OPTIONS, **PLAIN)


def show_version(wanted: bool) -> None:
    """Print the version and leave, where asked for."""
    if wanted:
        typer.echo(f"cronflow {__version__}")
        raise typer.Exit


@app.callback(invoke_without_command=True)
def root(
    context: typer.Context,
    pipelines_dir: Annotated[
        str | None, typer.Option(envvar="CRONFLOW_PIPELINES_DIR", metavar="DIR", help=PIPELINES_HELP)
    ] = None,
    state_dir: Annotated[str | None, typer.Option(envvar="CRONFLOW_STATE_DIR", metavar="DIR", help=STATE_HELP)] = None,
    _version: Annotated[
        bool, typer.Option("--version", callback=show_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Pipelines of shell commands: in dependency order, on a schedule, once for each period, with a history."""
    if context.invoked_subcommand is None:
        # For people; a script whose command is empty has to hear of it too.
        typer.echo(context.get_help(), err=True)
        raise typer.Exit(2)
    context.obj = Places(pipelines_dir, state_dir, prefix(context, state_dir))


def prefix(context: typer.Context, state_dir: str | None) -> str:
    """`cronflow`, with the state directory where that was typed, not set in the environment."""
    source = context.get_parameter_source("state_dir")
    if state_dir is None or source is None or source.name != "COMMANDLINE":
        return "cronflow"
    import shlex

    return f"cronflow --state-dir {shlex.quote(os.path.abspath(state_dir))}"


def named(option: str, typed: str | None) -> str | None:
    """A directory as it was typed, absolute. An empty one is a variable that was never set, not the default."""
    if typed == "":
        raise WrongUse(f"{option}: the path is empty")
    return None if typed is None else os.path.abspath(typed)


def default_dir(option: str, variable: str, under_home: str, for_root: str, last: str) -> str:
    """The default place: root's is the machine's, anybody else's follows the XDG base directories."""
    if os.geteuid() == 0:
        return os.path.join(for_root, "cronflow", last).rstrip("/")
    base = os.environ.get(variable, "")
    if not os.path.isabs(base):  # the XDG specification: a relative one is to be ignored
        home = os.path.expanduser("~")
        if not os.path.isabs(home):
            raise WrongUse(f"no home directory is known to look in: set HOME, or name a directory with {option}")
        base = os.path.join(home, under_home)
    return os.path.join(base, "cronflow", last).rstrip("/")


def invoke(arguments: list[str]) -> int:
    """Run one command line. Returns its exit code; says what went wrong on standard error."""
    command = typer.main.get_command(app)
    try:
        settle()
        code = command.main(args=arguments, prog_name="cronflow", standalone_mode=False)
    except BadPipeline as error:
        # `file:line:column: …` from the first column on, so that an editor can jump there.
        tell(str(error))
        return error.exit_code
    except CronflowError as error:
        complain(str(error))
        return error.exit_code
    except typer.TyperException as error:
        complain(f"{error.format_message()}\n{hint(arguments)}")
        return 2
    except typer.Abort:
        return 130
    except OSError as error:
        # What the system refuses in a place where nobody expected it: no traceback, but all that it said. It names no
        # file only where a relative path was typed in a directory that is gone.
        complain(f"{error.filename or 'the current directory'}: {error.strerror or error}")
        return CronflowError.exit_code
    return code if isinstance(code, int) else 0


def hint(arguments: list[str]) -> str:
    """Where the help of the command is that was typed wrong."""
    command = next((f" {word}" for word in arguments if word in COMMANDS), "")
    return f"see 'cronflow{command} --help'"
