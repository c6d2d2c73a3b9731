"""What a cron expression says: the minutes, hours and days it names, read as Debian's cron (3.0pl1) reads it.

Ours is the judgement: exactly five fields, nothing of other schedulers' syntax, nothing that cron accepts and then
never runs. What passes is rewritten in plain numbers and read by croniter, which has no room left for a meaning of
its own (`7-7` is every day to it, and Sunday to cron).

croniter is slow to import, so it is loaded where the values are needed; `check` mostly does without it.
"""

import re
from bisect import bisect_right
from collections.abc import Iterable
from datetime import date, timedelta
from functools import lru_cache

from msgspec import Struct

from cronflow.nearest import did_you_mean

REBOOT = "@reboot"
MACROS = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
_LENGTH_LIMIT = 1000
_DAY = 24 * 60
_ONE_DAY = timedelta(days=1)
_EPOCH = date(1970, 1, 1).toordinal()
_COUNTS = ("no", "one", "two", "three", "four", "five", "six", "seven")
_SHORT_MONTHS = {2: 29, 4: 30, 6: 30, 9: 30, 11: 30}
_TERM = re.compile(r"(?:\*|(?P<first>[0-9A-Za-z]+)(?:-(?P<last>[0-9A-Za-z]+))?)(?:/(?P<step>[0-9]+))?")


class ScheduleError(ValueError):
    """A cron expression that can't be used: the text names it, says what is wrong and what is expected."""


class Field(Struct, frozen=True):
    """One of the five fields: the numbers it may hold, how many of them differ, and the names some of them have."""

    name: str
    low: int
    high: int
    values: int
    names: tuple[str, ...] = ()


FIELDS = (
    Field("minute", 0, 59, 60),
    Field("hour", 0, 23, 24),
    Field("day", 1, 31, 31),
    Field("month", 1, 12, 12, ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")),
    Field("weekday", 0, 7, 7, ("sun", "mon", "tue", "wed", "thu", "fri", "sat")),
)


class Term(Struct, frozen=True):
    """One comma-separated part of a field: every `step`-th number from `low` to `high`."""

    text: str
    low: int
    high: int
    step: int = 1

    @property
    def plain(self) -> str:
        """The same in numbers; a range from a number to itself is that number."""
        return str(self.low) if self.low == self.high else f"{self.low}-{self.high}/{self.step}"


Terms = tuple[Term, ...]


class Reading(Struct, frozen=True):
    """The values of an expression, and the times they make on a wall clock that is never corrected.

    A wall time is a number of minutes since 1970 as a clock on the wall counts them. `times` are minutes of a day,
    ascending; weekdays count from Sunday, 0. There is always a next and a previous time, at most 40 years away
    (29 February on one weekday, across 2100): what never fires has been refused.
    """

    times: tuple[int, ...]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    either_day: bool  # a matching day or a matching weekday is enough; else both must match
    fixed: bool  # a fixed-time job: neither minute nor hour begins with `*`

    def after(self, wall: int) -> int:
        """The first wall time later than `wall`."""
        today, minute = date.fromordinal(_EPOCH + wall // _DAY), wall % _DAY
        place = bisect_right(self.times, minute)
        if place < len(self.times) and self._matches(today):
            return wall - minute + self.times[place]
        return self._midnight(today + _ONE_DAY, step=1) + self.times[0]

    def until(self, wall: int) -> int:
        """The last wall time that is not later than `wall`."""
        today, minute = date.fromordinal(_EPOCH + wall // _DAY), wall % _DAY
        place = bisect_right(self.times, minute)
        if place > 0 and self._matches(today):
            return wall - minute + self.times[place - 1]
        return self._midnight(today - _ONE_DAY, step=-1) + self.times[-1]

    def _midnight(self, day: date, *, step: int) -> int:
        """The start of the first matching day from `day` on, looking ahead (step 1) or back (-1)."""
        while not self._matches(day):
            if day.month not in self.months:
                day = _month_end(day) if step > 0 else day.replace(day=1)
            day += step * _ONE_DAY
        return (day.toordinal() - _EPOCH) * _DAY

    def _matches(self, day: date) -> bool:
        if day.month not in self.months:
            return False
        if self.either_day:
            return day.day in self.days or day.isoweekday() % 7 in self.weekdays
        return day.day in self.days and day.isoweekday() % 7 in self.weekdays


def check(expression: str) -> None:
    """Raise ScheduleError unless Debian's cron takes the expression and would ever run it. It takes `@reboot`."""
    if at_boot(expression):
        return
    terms = parse(expression)
    _, _, days, _, _ = terms
    if min(day.low for day in days) > 28 and not _either_day(terms):
        read(expression)


def at_boot(expression: str) -> bool:
    """Whether the expression is `@reboot`, which has no calendar times."""
    return expression.strip() == REBOOT


@lru_cache(maxsize=4096)
def read(expression: str) -> Reading:
    """The values of an expression other than `@reboot`. Raises ScheduleError."""
    from croniter import croniter

    terms = parse(expression)
    plain = " ".join(",".join(term.plain for term in field) for field in terms)
    minutes, hours, days, months, weekdays = map(_numbers, FIELDS, croniter.expand(plain)[0])
    first_day, longest = min(days), max(_SHORT_MONTHS.get(month, 31) for month in months)
    if first_day > longest and not _either_day(terms):
        raise ScheduleError(f"{expression!r} never fires: none of its months has a day {first_day}")
    return Reading(
        times=tuple(hour * 60 + minute for hour in sorted(hours) for minute in sorted(minutes)),
        days=days,
        months=months,
        weekdays=weekdays,
        either_day=_either_day(terms),
        fixed=not any(_starred(field) for field in terms[:2]),
    )


def parse(expression: str) -> tuple[Terms, ...]:
    """The terms of the five fields, each within its field's numbers. Raises ScheduleError."""
    try:
        return tuple(map(_terms, FIELDS, _split(expression)))
    except _Flaw as flaw:
        raise ScheduleError(f"{_quoted(expression)}{flaw}") from None


class _Flaw(ValueError):
    """What is wrong, without the expression's own text before it."""


def _split(expression: str) -> list[str]:
    """The texts of the five fields."""
    text = expression.strip()
    if len(text) > _LENGTH_LIMIT:
        raise _Flaw(f" has {len(text)} characters, the limit is {_LENGTH_LIMIT}")
    if text.startswith("@"):
        text = _macro(text)
    strange = re.search(r"[^!-~ \t]", text)
    if strange:
        raise _Flaw(f": {strange[0]!r} (U+{ord(strange[0]):04X}) has no meaning in a cron expression")
    fields = text.split()
    if len(fields) != len(FIELDS):
        count = _COUNTS[len(fields)] if len(fields) < len(_COUNTS) else str(len(fields))
        noun = "field" if len(fields) == 1 else "fields"
        names = " ".join(field.name for field in FIELDS)
        raise _Flaw(f" has {count} {noun}, a cron expression has five: {names}")
    return fields


def _macro(word: str) -> str:
    """The expression that cron's word stands for."""
    if word not in MACROS:
        words = [*MACROS, REBOOT]
        raise _Flaw(f" is none of cron's words {' '.join(words)}{did_you_mean(word, words)}")
    return MACROS[word]


def _terms(field: Field, text: str) -> Terms:
    return tuple(_term(field, part) for part in text.split(","))


def _term(field: Field, text: str) -> Term:
    match = _TERM.fullmatch(text)
    if match is None:
        raise _Flaw(_not_understood(field, text))
    first, last, step = match["first"], match["last"], int(match["step"] or 1)
    if step == 0:
        raise _Flaw(f": {field.name} {text!r} has the step 0, a step is 1 or more")
    if first is None:
        return Term(text, field.low, field.high, step)
    low = _number(field, first)
    if last is None and match["step"]:
        wanted = Term(text, low, field.high, step).plain
        raise _Flaw(f": {field.name} {text!r} has a step without a range, write {wanted}")
    high = low if last is None else _number(field, last)
    if low > high:
        wanted = _wrapped(field, low, high) if step == 1 else "two ranges"
        raise _Flaw(f": {field.name} {text!r} runs backwards, write {wanted}")
    return Term(text, low, high, step)


def _number(field: Field, word: str) -> int:
    """The number a word of a term stands for, within its field."""
    if word.lower() in field.names:
        return field.low + field.names.index(word.lower())
    if not word.isdecimal():
        raise _Flaw(_not_understood(field, word))
    number = int(word)
    if number > field.high:
        raise _Flaw(f": {field.name} {number} is above {field.high}")
    if number < field.low:
        raise _Flaw(f": {field.name} {number} is below {field.low}")
    return number


def _not_understood(field: Field, text: str) -> str:
    names = f" or {field.names[0]} to {field.names[-1]}" if field.names else ""
    expected = f"* or {field.low} to {field.high}{names}, lists (1,5), ranges (1-5) and steps (*/5)"
    return f": {field.name} {text!r} is not understood, expected {expected}{did_you_mean(text, field.names)}"


def _wrapped(field: Field, low: int, high: int) -> str:
    """What a range that runs backwards is meant to be, as a list of ranges that don't."""
    start = 1 if field.name == "weekday" else field.low
    ranges = [(low, field.high)] if high < start else [(low, field.high), (start, high)]
    return ",".join(str(a) if a == b else f"{a}-{b}" for a, b in ranges)


def _quoted(expression: str) -> str:
    return repr(expression) if len(expression) <= _LENGTH_LIMIT else repr(expression[:40] + "…")


def _numbers(field: Field, values: Iterable[int | str]) -> frozenset[int]:
    """croniter's list for a field, with its `*` spelled out."""
    if "*" in values:
        return frozenset(range(field.low, field.low + field.values))
    return frozenset(value for value in values if isinstance(value, int))


def _month_end(day: date) -> date:
    later = day.replace(day=28) + 4 * _ONE_DAY
    return later.replace(day=1) - _ONE_DAY


def _starred(field: Terms) -> bool:
    """cron looks at a field's first character only: `*/2` and `*,5` count, `5,*` does not."""
    return field[0].text.startswith("*")


def _either_day(terms: tuple[Terms, ...]) -> bool:
    _, _, days, _, weekdays = terms
    return not _starred(days) and not _starred(weekdays)
