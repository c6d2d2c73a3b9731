"""What every view is made of: lines of spans, a span being text with a tone. Neither paper nor screen is known here.

Text that comes from outside (a reason, a log, a description) is made harmless on the way in: no character of it can
move a cursor, start an escape sequence, turn the writing direction, or break a line.
"""

import re
from collections.abc import Iterator
from itertools import groupby
from typing import Literal

from msgspec import Struct

Tone = Literal["plain", "dim", "strong", "good", "bad", "busy", "wait", "warn"]

ZERO_WIDTH = {"Mn", "Me"}
WORDS = re.compile(" +|[^ ]+")
COLOURS = re.compile("\x1b\\[[0-9;:]*m")
LAYOUT = re.compile("([\n\t])")
CONTROLS = {"Cc", "Cf", "Cs", "Co", "Zl", "Zp"}


class Span(Struct, frozen=True):
    """Text in one tone; always one line, always printable."""

    text: str
    tone: Tone = "plain"


Line = tuple[Span, ...]


def span(text: str, tone: Tone = "plain") -> Span:
    """A span of any text."""
    return Span(harmless(text), tone)


def line(text: str, tone: Tone = "plain") -> Line:
    """A line of one span; an empty one of an empty text."""
    return (span(text, tone),) if text else ()


def harmless(text: str) -> str:
    """Control characters in caret or hexadecimal form, tabs and line breaks as spaces."""
    if text.isprintable():
        return text
    return "".join(map(_visible, text))


def _visible(character: str) -> str:
    if character.isprintable():
        return character
    if character in "\t\n":
        return " "
    import unicodedata

    if unicodedata.category(character) not in CONTROLS:
        return character
    code = ord(character)
    if code < 0x20 or code == 0x7F:
        return f"^{chr(code ^ 0x40)}"
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def readable(text: str) -> str:
    """A log's text for a terminal: harmless, its colours dropped, but with its lines and tabs."""
    text = COLOURS.sub("", text).replace("\r\n", "\n")
    return "".join(part if part in "\n\t" else harmless(part) for part in LAYOUT.split(text))


def cells(text: str) -> int:
    """How many columns of a terminal the text takes."""
    if text.isascii():
        return len(text)
    import unicodedata

    count = 0
    for character in text:
        if unicodedata.category(character) not in ZERO_WIDTH:
            count += 2 if unicodedata.east_asian_width(character) in "WF" else 1
    return count


def width(spans: Line) -> int:
    """How many columns a line takes."""
    return sum(cells(piece.text) for piece in spans)


def clipped(spans: Line, room: int, more: str) -> Line:
    """The line in at most `room` columns; where something is cut, it ends in `more`."""
    if width(spans) <= room:
        return spans
    kept: list[Span] = []
    left = room - cells(more)
    if left < 0:
        return (Span(more[:room], "dim"),) if room > 0 else ()
    for piece in spans:
        text = beginning(piece.text, left)
        kept.append(Span(text, piece.tone))
        left -= cells(text)
        if text != piece.text:
            break
    return (*(piece for piece in kept if piece.text), Span(more, "dim"))


def beginning(text: str, room: int) -> str:
    """As much of the text as fits into `room` columns."""
    if text.isascii():
        return text[:room]
    used = 0
    for at, character in enumerate(text):
        used += cells(character)
        if used > room:
            return text[:at]
    return text


def folded(spans: Line, room: int, indent: int, mark: str = "") -> list[Line]:
    """The line as several of at most `room` columns, broken at blanks, those after the first indented.

    `mark` ends each line that another one follows. A word that is too long for any line is broken itself.
    """
    if width(spans) <= room:
        return [spans]
    room -= cells(mark)
    lines: list[list[Span]] = [[]]
    used = 0
    for piece in words(spans, max(2, room - indent)):
        size = cells(piece.text)
        if used + size > room:
            lines.append([Span(" " * indent)])
            used = indent
            if piece.text.isspace():
                continue
        lines[-1].append(piece)
        used += size
    return [(*kept, Span(mark)) for kept in lines[:-1]] + [tuple(lines[-1])]


def words(spans: Line, longest: int) -> Iterator[Span]:
    """The words of a line and the blanks between them, one by one; none is longer than `longest` columns."""
    for piece in spans:
        for text in WORDS.findall(piece.text):
            rest = text
            while rest:
                part = beginning(rest, longest)
                yield Span(part, piece.tone)
                rest = rest[len(part) :]


def padded(spans: Line, columns: int, *, right: bool = False) -> Line:
    """The line filled up with blanks to at least `columns`; `right` puts them in front."""
    blank = Span(" " * max(0, columns - width(spans)))
    if not blank.text:
        return spans
    return (blank, *spans) if right else (*spans, blank)


def settled(spans: Line) -> Line:
    """The same line in the fewest spans, without blanks at its end."""
    merged: list[Span] = []
    for tone, pieces in groupby(spans, key=lambda piece: piece.tone):
        merged.append(Span("".join(piece.text for piece in pieces), tone))
    while merged and not merged[-1].text.rstrip():
        merged.pop()
    return (*merged[:-1], Span(merged[-1].text.rstrip(), merged[-1].tone)) if merged else ()


def text_of(spans: Line) -> str:
    """The line without its tones, and without blanks at its end."""
    return "".join(piece.text for piece in spans).rstrip()
