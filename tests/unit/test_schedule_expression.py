"""What an expression says: cron's own reading, and every refusal whole."""

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cronflow.schedule.expression import FIELDS, MACROS, Field, ScheduleError, check, read

FIVE = "a cron expression has five: minute hour day month weekday"
WORDS = "@yearly @annually @monthly @weekly @daily @midnight @hourly @reboot"
FORMS = "lists (1,5), ranges (1-5) and steps (*/5)"

REFUSED = {
    "": f"'' has no fields, {FIVE}",
    "   ": f"'   ' has no fields, {FIVE}",
    "*": f"'*' has one field, {FIVE}",
    "* * * *": f"'* * * *' has four fields, {FIVE}",
    "* * * * * *": f"'* * * * * *' has six fields, {FIVE}",
    "0 0 1 1 * 2026 x y": f"'0 0 1 1 * 2026 x y' has 8 fields, {FIVE}",
    "@every_minute": f"'@every_minute' is none of cron's words {WORDS}",
    "@every 5m": f"'@every 5m' is none of cron's words {WORDS}",
    "@5": f"'@5' is none of cron's words {WORDS}",
    "@Daily": f"'@Daily' is none of cron's words {WORDS}; did you mean '@daily'?",
    "@montly": f"'@montly' is none of cron's words {WORDS}; did you mean '@monthly'?",
    "61 * * * *": "'61 * * * *': minute 61 is above 59",
    "0 24 * * *": "'0 24 * * *': hour 24 is above 23",
    "0 0 0 * *": "'0 0 0 * *': day 0 is below 1",
    "0 0 1-32 * *": "'0 0 1-32 * *': day 32 is above 31",
    "0 0 * 0 *": "'0 0 * 0 *': month 0 is below 1",
    "0 0 * * 8": "'0 0 * * 8': weekday 8 is above 7",
    "0 0 * * monday": "'0 0 * * monday': weekday 'monday' is not understood, "
    f"expected * or 0 to 7 or sun to sat, {FORMS}; did you mean 'mon'?",
    "0 0 * june *": f"'0 0 * june *': month 'june' is not understood, expected * or 1 to 12 or jan to dec, {FORMS}"
    "; did you mean 'jun'?",
    "mon * * * *": f"'mon * * * *': minute 'mon' is not understood, expected * or 0 to 59, {FORMS}",
    "H * * * *": f"'H * * * *': minute 'H' is not understood, expected * or 0 to 59, {FORMS}",
    "R * * * *": f"'R * * * *': minute 'R' is not understood, expected * or 0 to 59, {FORMS}",
    "0 0 L * *": f"'0 0 L * *': day 'L' is not understood, expected * or 1 to 31, {FORMS}",
    "0 0 15W * *": f"'0 0 15W * *': day '15W' is not understood, expected * or 1 to 31, {FORMS}",
    "0 0 ? * *": f"'0 0 ? * *': day '?' is not understood, expected * or 1 to 31, {FORMS}",
    "0 0 * * 1#2": f"'0 0 * * 1#2': weekday '1#2' is not understood, expected * or 0 to 7 or sun to sat, {FORMS}",
    "1.5 * * * *": f"'1.5 * * * *': minute '1.5' is not understood, expected * or 0 to 59, {FORMS}",
    "+5 * * * *": f"'+5 * * * *': minute '+5' is not understood, expected * or 0 to 59, {FORMS}",
    "*5 * * * *": f"'*5 * * * *': minute '*5' is not understood, expected * or 0 to 59, {FORMS}",
    "*/ * * * *": f"'*/ * * * *': minute '*/' is not understood, expected * or 0 to 59, {FORMS}",
    "1-5-7 * * * *": f"'1-5-7 * * * *': minute '1-5-7' is not understood, expected * or 0 to 59, {FORMS}",
    "1,,2 * * * *": f"'1,,2 * * * *': minute '' is not understood, expected * or 0 to 59, {FORMS}",
    "\u00b9 * * * *": "'\u00b9 * * * *': '\u00b9' (U+00B9) has no meaning in a cron expression",
    "0\u00a00 * * *": "'0\\xa00 * * *': '\\xa0' (U+00A0) has no meaning in a cron expression",
    "0 0 *\n* *": "'0 0 *\\n* *': '\\n' (U+000A) has no meaning in a cron expression",
    "5/15 * * * *": "'5/15 * * * *': minute '5/15' has a step without a range, write 5-59/15",
    "59/15 * * * *": "'59/15 * * * *': minute '59/15' has a step without a range, write 59",
    "*/0 * * * *": "'*/0 * * * *': minute '*/0' has the step 0, a step is 1 or more",
    "5-1 * * * *": "'5-1 * * * *': minute '5-1' runs backwards, write 5-59,0-1",
    "0 22-2 * * *": "'0 22-2 * * *': hour '22-2' runs backwards, write 22-23,0-2",
    "0 22-2/2 * * *": "'0 22-2/2 * * *': hour '22-2/2' runs backwards, write two ranges",
    "0 0 * 12-1 *": "'0 0 * 12-1 *': month '12-1' runs backwards, write 12,1",
    "0 0 * * fri-sun": "'0 0 * * fri-sun': weekday 'fri-sun' runs backwards, write 5-7",
    "0 0 * * sat-mon": "'0 0 * * sat-mon': weekday 'sat-mon' runs backwards, write 6-7,1",
    "0 0 * * 7-1": "'0 0 * * 7-1': weekday '7-1' runs backwards, write 7,1",
    "0 0 30 2 *": "'0 0 30 2 *' never fires: none of its months has a day 30",
    "0 0 31 4,6,9,11 *": "'0 0 31 4,6,9,11 *' never fires: none of its months has a day 31",
    "0 0 31 feb-feb */2": "'0 0 31 feb-feb */2' never fires: none of its months has a day 31",
    "x" * 1001: f"'{'x' * 40}…' has 1001 characters, the limit is 1000",
}

ACCEPTED = {
    "@reboot",
    "  @reboot\n",
    *MACROS,
    "\t0  3 * * *\n",
    "007 03 * * *",
    "0 0 29 2 *",
    "0 0 31 2 0",
    "0 0 30 2 1",
    "0 0 31 1,2 *",
    "0 0 1-31/2,*/7 * *",
    "0 0 1 JAN-Mar Mon,tue",
    "0 0 * * mon-7",
    "*/100 * * * *",
    f"*/{'9' * 900} * * * *",
}


LONGEST = {1: 31, 2: 29, 3: 31, 4: 30, 5: 31, 6: 30, 7: 31, 8: 31, 9: 30, 10: 31, 11: 30, 12: 31}


@pytest.mark.parametrize(("expression", "message"), REFUSED.items(), ids=repr)
def test_refused_with_what_to_write(expression: str, message: str) -> None:
    with pytest.raises(ScheduleError) as refusal:
        check(expression)
    assert str(refusal.value) == message


@pytest.mark.parametrize("expression", REFUSED, ids=repr)
def test_reading_refuses_the_same(expression: str) -> None:
    with pytest.raises(ScheduleError) as refusal:
        read(expression)
    assert str(refusal.value) == REFUSED[expression]


@pytest.mark.parametrize("expression", sorted(ACCEPTED), ids=repr)
def test_accepted(expression: str) -> None:
    check(expression)


@pytest.mark.parametrize(
    ("expression", "weekdays"),
    [
        ("0 0 * * 7", {0}),
        ("0 0 * * 7-7", {0}),
        ("0 0 * * sun-sun", {0}),
        ("0 0 * * 5-7", {5, 6, 0}),
        ("0 0 * * 0-7", {0, 1, 2, 3, 4, 5, 6}),
        ("0 0 * * 1-7/3", {1, 4, 0}),
        ("0 0 * * */7", {0}),
        ("0 0 * * 7,0", {0}),
        ("0 0 * * mon-fri", {1, 2, 3, 4, 5}),
    ],
)
def test_sunday_is_0_and_7(expression: str, weekdays: set[int]) -> None:
    assert read(expression).weekdays == weekdays


@pytest.mark.parametrize(
    ("expression", "either"),
    [
        ("0 0 1 * 1", True),
        ("0 0 1,* * 1", True),
        ("0 0 */2 * 1", False),
        ("0 0 *,15 * 1", False),
        ("0 0 1 * */2", False),
        ("0 0 * * *", False),
    ],
)
def test_only_a_field_that_begins_with_a_star_makes_both_days_count(expression: str, either: bool) -> None:
    assert read(expression).either_day is either


@pytest.mark.parametrize(
    ("expression", "fixed"),
    [
        ("0 2 * * *", True),
        ("0,*/5 0-23 * * *", True),
        ("@daily", True),
        ("*/5 2 * * *", False),
        ("0 * * * *", False),
        ("@hourly", False),
    ],
)
def test_a_fixed_time_job_begins_neither_minute_nor_hour_with_a_star(expression: str, fixed: bool) -> None:
    assert read(expression).fixed is fixed


@st.composite
def parts(draw: st.DrawFn, field: Field) -> tuple[str, set[int]]:
    """A part of a field as text, and the numbers it means."""
    low = draw(st.integers(field.low, field.high))
    high = draw(st.integers(low, field.high))
    step = draw(st.integers(1, field.high + 3))
    return draw(
        st.sampled_from(
            [
                ("*", set(range(field.low, field.high + 1))),
                (f"*/{step}", set(range(field.low, field.high + 1, step))),
                (f"{low}", {low}),
                (f"{low}-{high}", set(range(low, high + 1))),
                (f"{low}-{high}/{step}", set(range(low, high + 1, step))),
            ]
        )
    )


@st.composite
def written(draw: st.DrawFn, field: Field) -> tuple[str, set[int]]:
    """A whole field as text, and the numbers it means."""
    chosen = draw(st.lists(parts(field), min_size=1, max_size=3))
    text = ",".join(text for text, _ in chosen)
    return text, {number % 7 if field.name == "weekday" else number for _, numbers in chosen for number in numbers}


@given(st.tuples(*(written(field) for field in FIELDS)))
def test_the_values_read_are_the_values_written(fields: tuple[tuple[str, set[int]], ...]) -> None:
    texts, (minutes, hours, days, months, weekdays) = zip(*fields, strict=True)
    expression = " ".join(texts)
    either = not texts[2].startswith("*") and not texts[4].startswith("*")
    if not either and min(days) > max(LONGEST[month] for month in months):
        with pytest.raises(ScheduleError, match="never fires"):
            check(expression)
        return
    check(expression)
    reading = read(expression)
    assert reading.times == tuple(60 * hour + minute for hour in sorted(hours) for minute in sorted(minutes))
    assert reading.either_day is either
    assert (reading.days, reading.months, reading.weekdays) == (days, months, weekdays)


@given(st.text(alphabet="0123456789*/-,@ \tabLW#?é", max_size=30) | st.text(max_size=20))
def test_any_text_is_taken_or_refused_in_words(text: str) -> None:
    said = refusal(text)
    assert said is None or said.startswith(repr(text))


def refusal(text: str) -> str | None:
    try:
        check(text)
    except ScheduleError as refused:
        return str(refused)
    return None


def test_neither_croniter_nor_zoneinfo_is_loaded_before_it_is_needed() -> None:
    program = """if True:
        import sys
        from cronflow.schedule import check
        check("*/5 3 1,31 2 mon-fri")
        print(sorted({"croniter", "zoneinfo", "difflib"} & set(sys.modules)))
    """
    loaded = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True).stdout
    assert loaded == "[]\n"
