"""`status`: every pipeline on a line, as wide as there is room."""

from textwrap import dedent

from cronflow import instant
from cronflow.view.ink import text_of
from cronflow.view.overview import Entry, Fault, overview
from cronflow.view.signs import ASCII, UNICODE, Look
from cronflow.wall import Wall
from tests import past

NOW = past.MIDNIGHT + 9 * 3600
BERLIN = Wall("Europe/Berlin")
DAILY = past.run(past.pipeline("daily_sales"))
FAILED = past.run(past.pipeline("dbt_sales"), state="failed", days_ago=1)
RUNNING = past.by_hand(past.pipeline("nightly.backup"), state="running", ended_at=None)
ENTRIES = [
    Entry(
        name="daily_sales",
        wall=BERLIN,
        last=DAILY,
        recent=("succeeded",) * 6 + ("failed",) + ("succeeded",) * 3,
        next_due=past.MIDNIGHT + past.DAY,
    ),
    Entry(name="dbt_sales", wall=BERLIN, last=FAILED, recent=("failed", "skipped"), instead="disabled"),
    Entry(name="new", wall=BERLIN, next_due=NOW + 60),
    Entry(
        name="nightly.backup",
        wall=BERLIN,
        last=RUNNING,
        recent=("running", "cancelled", "succeeded"),
        instead="by hand",
    ),
]
FAULT = Fault("etl/broken.yaml:14:12", "unknown key 'scedule'; did you mean 'schedule'?", 2)


def drawn(look: Look, entries: list[Entry] = ENTRIES, faults: tuple[Fault, ...] = (FAULT,)) -> str:
    return "\n".join(text_of(line) for line in overview(entries, faults, NOW, look)) + "\n"


def test_with_room_for_all() -> None:
    assert drawn(Look(120, UNICODE)) == dedent("""\
        pipeline        last run     due (Europe/Berlin)           took      recent  next due
        daily_sales     ● succeeded  2026-11-22 01:00     9h ago  1m40s  ●●●✗●●●●●●  2026-11-23 01:00  in 15h
        dbt_sales       ✗ failed     2026-11-21 01:00     1d ago  1m40s          ─✗  disabled
        new             never                                                        2026-11-22 10:01   in 1m
        nightly.backup  ◐ running    2026-11-22 02:00     8h ago  9h00m         ●■◐  by hand

        ✗ etl/broken.yaml:14:12: unknown key 'scedule'; did you mean 'schedule'? (and 2 more)
    """)


def test_for_a_program_it_is_as_wide_as_it_is() -> None:
    assert drawn(Look(None, ASCII)) == dedent("""\
        pipeline        last run   due (Europe/Berlin)           took      recent  next due
        daily_sales     succeeded  2026-11-22 01:00     9h ago  1m40s  +++x++++++  2026-11-23 01:00  in 15h
        dbt_sales       failed     2026-11-21 01:00     1d ago  1m40s          -x  disabled
        new             never                                                      2026-11-22 10:01   in 1m
        nightly.backup  running    2026-11-22 02:00     8h ago  9h00m         +#>  by hand

        x etl/broken.yaml:14:12: unknown key 'scedule'; did you mean 'schedule'? (and 2 more)
    """)


def test_what_matters_least_goes_first() -> None:
    assert drawn(Look(80, UNICODE)) == dedent("""\
        pipeline        last run     due (Europe/Berlin)              recent
        daily_sales     ● succeeded  2026-11-22 01:00     9h ago  ●●●✗●●●●●●  in 15h
        dbt_sales       ✗ failed     2026-11-21 01:00     1d ago          ─✗
        new             never                                                  in 1m
        nightly.backup  ◐ running    2026-11-22 02:00     8h ago         ●■◐

        ✗ etl/broken.yaml:14:12: unknown key 'scedule'; did you mean 'schedule'? (and 2
          more)
    """)


def test_on_forty_columns_there_is_still_name_state_and_when() -> None:
    assert drawn(Look(40, ASCII)) == dedent("""\
        pipeline        last run
        daily_sales     succeeded  9h ago
        dbt_sales       failed     1d ago
        new             never
        nightly.backup  running    8h ago

        x etl/broken.yaml:14:12: unknown key
          'scedule'; did you mean 'schedule'?
          (and 2 more)
    """)


def test_zones_that_differ_are_named_line_by_line() -> None:
    entries = [Entry(name="a", wall=BERLIN, last=DAILY), Entry(name="b", wall=Wall("Asia/Tokyo"), last=DAILY)]
    assert drawn(Look(None, ASCII), entries, ()) == dedent("""\
        pipeline  last run   due                            took
        a         succeeded  2026-11-22 01:00 CET  9h ago  1m40s
        b         succeeded  2026-11-22 09:00 JST  9h ago  1m40s
    """)


def test_a_run_by_hand_stands_at_the_time_it_was_asked_for() -> None:
    late = past.by_hand(at=instant.to_seconds("2026-11-22T08:59:00Z"))
    entries = [Entry(name="etl", wall=Wall("UTC"), last=late)]
    assert "2026-11-22 08:59  1m ago" in drawn(Look(None, ASCII), entries, ())


def test_nothing_is_nothing() -> None:
    assert overview([], [], NOW, Look()) == []
