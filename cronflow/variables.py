"""What a task finds in its environment (design: what a task sees). Pure: the file's text is handed in."""

import re
from collections.abc import Mapping

from cronflow.record import Run

OURS = "CRONFLOW_"
_LINE = re.compile(r"(?:export[ \t]+)?([A-Za-z_][A-Za-z0-9_]*)[ \t]*=[ \t]*(.*)")
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r"}


class EnvFileError(ValueError):
    """A line of an `env_file` that is not NAME=VALUE. The text has the line's number, never its value."""


def of_engine(environment: Mapping[str, str]) -> dict[str, str]:
    """The engine's environment without what an outer cronflow put there."""
    return {name: value for name, value in environment.items() if not name.startswith(OURS)}


def of_attempt(run: Run, task: str, number: int, attempt_id: str) -> dict[str, str]:
    """The variables that name an attempt. Those of its period come with `schedule.span_variables`."""
    return {
        "CRONFLOW_PIPELINE": run.pipeline,
        "CRONFLOW_TASK": task,
        "CRONFLOW_RUN_ID": run.run_id,
        "CRONFLOW_ATTEMPT": str(number),
        "CRONFLOW_ATTEMPT_ID": attempt_id,
        "CRONFLOW_TRIGGER": run.trigger,
    }


def parse_env_file(text: str) -> dict[str, str]:
    """NAME=VALUE lines: `#` comments, blank lines, an optional `export`, single or double quotes.

    Nothing is expanded. In double quotes `\\n`, `\\t`, `\\r`, `\\"`, `\\$` and `\\\\` are escapes; unquoted, ` #`
    begins a comment. Raises EnvFileError.
    """
    found = {}
    for number, line in enumerate(text.split("\n"), 1):
        stripped = line.strip(" \t\r")
        if not stripped or stripped.startswith("#"):
            continue
        if "\0" in stripped:
            raise EnvFileError(f"line {number} holds a NUL byte, which no environment variable can")
        match = _LINE.fullmatch(stripped)
        if match is None:
            raise EnvFileError(f"line {number} is not NAME=VALUE")
        found[match[1]] = _value(match[2], number)
    return found


def _value(text: str, number: int) -> str:
    """A value as written, without its quotes or its comment."""
    if not text or text[0] not in "'\"":
        return re.split(r"(?:^|\s)#", text, maxsplit=1)[0].rstrip()
    quote = text[0]
    pattern = r"'([^']*)'" if quote == "'" else r'"((?:[^"\\]|\\.)*)"'
    match = re.match(pattern + r"\s*(?:#.*)?$", text)
    if match is None:
        raise EnvFileError(f"line {number}: the quote {quote} is not closed, or something follows it")
    if quote == "'":
        return match[1]
    return re.sub(r"\\(.)", lambda escape: _ESCAPES.get(escape[1], escape[1]), match[1])
