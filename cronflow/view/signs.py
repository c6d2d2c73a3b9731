"""The signs and tones that stand for states, in Unicode and for where only ASCII goes through; and the room there is.

Every sign is told from the others by its shape alone: colour only repeats it. States that mean "all is well" are
quiet, so that the eye falls on the rest.
"""

from msgspec import Struct

from cronflow.view.ink import Line, Span, Tone, clipped, folded, span, width

TONES: dict[str, Tone] = {
    "queued": "dim",
    "pending": "dim",
    "running": "busy",
    "retrying": "wait",
    "succeeded": "good",
    "failed": "bad",
    "lost": "bad",
    "upstream_failed": "warn",
    "skipped": "dim",
    "cancelled": "warn",
}
WORDS = {"upstream_failed": "upstream failed"}


class Signs(Struct, frozen=True):
    """One way to draw: a sign for each state, and whether it leads the state's word; the rest by what they draw."""

    states: dict[str, str]
    led: bool
    bar: str
    wait: str
    more: str
    times: str
    to: str
    stair: str
    step: str


UNICODE = Signs(
    states={
        "queued": "○",
        "pending": "·",
        "running": "◐",
        "retrying": "↻",
        "succeeded": "●",
        "failed": "✗",
        "lost": "✗",
        "upstream_failed": "⊘",
        "skipped": "─",
        "cancelled": "■",
    },
    led=True,
    bar="━",
    wait="┄",
    more="…",
    times="\N{MULTIPLICATION SIGN}",
    to="→",
    stair="│",
    step="╭",
)
ASCII = Signs(
    states={
        "queued": "o",
        "pending": ".",
        "running": ">",
        "retrying": "~",
        "succeeded": "+",
        "failed": "x",
        "lost": "x",
        "upstream_failed": "!",
        "skipped": "-",
        "cancelled": "#",
    },
    led=False,
    bar="=",
    wait=".",
    more="..",
    times="x",
    to="to",
    stair="|",
    step=",",
)


class Look(Struct, frozen=True):
    """How to draw a view: in at most `width` columns (20 or more; None: as many as it likes), with these signs."""

    width: int | None = None
    signs: Signs = ASCII

    def clip(self, spans: Line) -> Line:
        """The line, cut to the width there is."""
        return spans if self.width is None else clipped(spans, self.width, self.signs.more)

    def fold(self, spans: Line, indent: int, mark: str = "") -> list[Line]:
        """The line, on as many lines as it takes."""
        return [spans] if self.width is None else folded(spans, self.width, indent, mark)


def sign(state: str, look: Look) -> Span:
    """The sign of a state."""
    return Span(look.signs.states.get(state, "?"), TONES.get(state, "plain"))


def word(state: str, look: Look) -> Line:
    """A state as a word in its tone, led by its sign."""
    tone = TONES.get(state, "plain")
    said = span(WORDS.get(state, state), tone)
    return (sign(state, look), Span(" ", tone), said) if look.signs.led else (said,)


def row(states: list[str], look: Look) -> Line:
    """One sign a state, side by side."""
    return tuple(sign(state, look) for state in states)


def legend(states: set[str], look: Look) -> list[Line]:
    """What the signs mean, of those states that occur; nothing where all that occurs is success."""
    lines: list[Line] = []
    for state in look.signs.states:
        if state in states and states != {"succeeded"}:
            meaning = (sign(state, look), Span(f" {WORDS.get(state, state)}", "dim"))
            longer = (*lines[-1], Span("   "), *meaning) if lines else meaning
            if lines and (look.width is None or width(longer) <= look.width):
                lines[-1] = longer
            else:
                lines.append(meaning)
    return lines
