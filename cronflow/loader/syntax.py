"""What YAML's parser complains about, in words that say what to do."""

import re
from itertools import islice
from typing import Any

from cronflow.problem import Problem, clipped

# A cron expression as people type it: five fields, or one of cron's words.
_CRON = re.compile(r"([*/0-9A-Za-z,-]+( +[*/0-9A-Za-z,-]+){4}|@[a-z]+)")
_SPECIAL = "*@`%&!|>"

# The parser's words (libyaml's, or those of PyYAML's own in Python), and ours. Where ours have `{context}`, the line in
# which the thing began that went wrong, that is the place to tell.
_SAYINGS = {
    "mapping values are not allowed": "a ': ' that can't be here: quote the value, or mend the indentation",
    "found unexpected end of stream": "the quote that opens in line {context} is never closed",
    "expected ',' or ']'": "expected ',' or ']' in the list that opens in line {context}",
    "expected ',' or '}'": "expected ',' or '}' in the mapping that opens in line {context}",
    "did not find expected key": "expected a key: check the indentation, and the quotes of the line above",
    "expected <block end>": "expected a key: check the indentation, and the quotes of the line above",
    "did not find expected '-' indicator": "expected '- ', as the lines above begin",
    "could not find expected ':'": "expected ':' and a value after the key",
    "did not find expected <document start>": "expected the end here, or '---': check the indentation",
    "found incompatible YAML document": "this version of YAML is not known: leave the %YAML line out",
}


def explain(text: str, error: Any) -> Problem:
    """A problem of a `yaml.YAMLError`, for the text it was found in."""
    mark = getattr(error, "problem_mark", None)
    if mark is None:
        return Problem(1, 1, "", f"not YAML: {error}")
    context = error.context_mark or mark
    line = _line(text, mark)
    if "\t" in line[: len(line) - len(line.lstrip())]:
        return Problem(mark.line + 1, line.index("\t") + 1, "", "a tab: indent with spaces")
    ours = next((ours for words, ours in _SAYINGS.items() if words in error.problem), "")
    if ours:
        spot = context if "{context}" in ours else mark
        return Problem(spot.line + 1, spot.column + 1, "", ours.replace("{context}", str(context.line + 1)))
    spot = context if "scanning a" in (error.context or "") else mark
    return Problem(spot.line + 1, spot.column + 1, "", _of_value(_line(text, spot)[spot.column :].strip(), error))


def _line(text: str, mark: Any) -> str:
    """The line of a place; empty behind the end."""
    return next(islice(text.splitlines(), mark.line, None), "")


def _of_value(rest: str, error: Any) -> str:
    """What is wrong with the value that a line ends with."""
    if not rest or rest[0] not in _SPECIAL:
        return f"not YAML: {error.problem}"
    value = re.split(" #", rest)[0].rstrip()
    if _CRON.fullmatch(value):
        return f'quote the schedule: "{clipped(value)}"'
    return f"a value that begins with '{rest[0]}' must be quoted"
