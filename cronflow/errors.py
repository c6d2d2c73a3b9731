"""Every error that ends a command, as a tree; the command line prints one line a message and exits with its code.

CronflowError          4   cronflow itself could not
|- WrongUse            2   what was typed can't be done
|- BadPipeline         2   a file is wrong; its problems are printed as `file:line:column: message`
|- Refused             3   already running or claimed
`- StateTrouble        4   the state directory can't be read or written as it must
"""


class CronflowError(Exception):
    """cronflow itself could not do it. The text says what, where and what to do."""

    exit_code = 4


class WrongUse(CronflowError):
    """What was typed can't be done."""

    exit_code = 2


class BadPipeline(CronflowError):
    """A pipeline file, or `config.yaml`, is wrong. The text is its problems, one a line."""

    exit_code = 2


class Refused(CronflowError):
    """The run is already claimed or running."""

    exit_code = 3


class StateTrouble(CronflowError):
    """The state directory can't be read or written as it must."""
