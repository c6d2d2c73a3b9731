"""Columns of lines, fitted to a width: first the least important columns go, then what is long is cut."""

from collections.abc import Sequence

from msgspec import Struct

from cronflow.view.ink import Line, Span, clipped, line, padded, width
from cronflow.view.signs import Look

GAP = 2


class Column(Struct, frozen=True):
    """A title and one line a row. `keep` says how long the column holds out where room is short: lowest goes first.

    `least` is the fewest columns it is worth showing in; None where it is never cut.
    """

    title: str
    rows: Sequence[Line]
    keep: int = 9
    least: int | None = None
    right: bool = False


def table(columns: Sequence[Column], look: Look) -> list[Line]:
    """The columns side by side, with their titles above. Columns that have nothing to say are left out."""
    shown = [column for column in columns if any(column.rows)]
    while look.width is not None and len(shown) > 1 and total([least(column) for column in shown]) > look.width:
        shown.remove(min(shown, key=lambda column: column.keep))
    widths = spread(shown, look.width)
    titles = [line(column.title, "dim") for column in shown]
    rows = [[column.rows[at] for column in shown] for at in range(len(shown[0].rows))] if shown else []
    return [side_by_side(row, shown, widths, look) for row in ([titles, *rows] if any(titles) else rows)]


def full(column: Column) -> int:
    """The columns that it takes uncut."""
    return max(len(column.title), *(width(row) for row in column.rows))


def least(column: Column) -> int:
    """The columns that it takes at least."""
    return full(column) if column.least is None else min(column.least, full(column))


def total(widths: Sequence[int]) -> int:
    """What columns of these widths take together, with the gaps."""
    return sum(widths) + GAP * (len(widths) - 1)


def spread(columns: Sequence[Column], room: int | None) -> list[int]:
    """The columns' widths: the least for each, and what is left over to the first that can use it."""
    if room is None:
        return [full(column) for column in columns]
    widths = [least(column) for column in columns]
    left = max(0, room - total(widths)) if widths else 0
    for at, column in enumerate(columns):
        more = min(left, full(column) - widths[at])
        widths[at] += more
        left -= more
    return widths


def side_by_side(row: Sequence[Line], columns: Sequence[Column], widths: Sequence[int], look: Look) -> Line:
    """One row."""
    spans: list[Span] = []
    for cell, column, columns_wide in zip(row, columns, widths, strict=True):
        spans += padded(clipped(cell, columns_wide, look.signs.more), columns_wide, right=column.right)
        spans.append(Span(" " * GAP))
    return look.clip(tuple(spans[:-1]))
