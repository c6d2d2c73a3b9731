"""Standard output as something to draw on: a terminal in colour by way of rich, or plain text, without loading it.

Colour and glyphs are for terminals, and for those only where NO_COLOR is not set.
"""

import os
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from cronflow.cli.output import write
from cronflow.errors import WrongUse
from cronflow.view.ink import Line, Tone, settled, text_of
from cronflow.view.signs import ASCII, UNICODE, Look

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

NARROWEST = 20
STYLES: dict[Tone, str] = {
    "plain": "",
    "dim": "dim",
    "strong": "bold",
    "good": "green",
    "bad": "red",
    "busy": "blue",
    "wait": "yellow",
    "warn": "magenta",
}


def is_coloured() -> bool:
    """Whether what is printed may have colours and glyphs."""
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def look() -> Look:
    """How to draw on standard output as it is now. Only a terminal has a width."""
    if not sys.stdout.isatty():
        return Look()
    width = max(NARROWEST, size().columns)
    return Look(width, UNICODE if is_coloured() and carries_glyphs() else ASCII)


def size() -> os.terminal_size:
    """The terminal's columns and lines."""
    from shutil import get_terminal_size

    return get_terminal_size()


def carries_glyphs() -> bool:
    """Whether the encoding of standard output has the glyphs."""
    try:
        "●━✗↻".encode(sys.stdout.encoding or "ascii")
    except UnicodeEncodeError:
        return False
    return True


def show(lines: Sequence[Line]) -> None:
    """Print lines."""
    if is_coloured():
        console().print(painted(lines), soft_wrap=True)
    else:
        write("\n".join(text_of(line) for line in lines))


def console() -> "Console":
    """Standard output, for rich."""
    from rich.console import Console

    return Console(file=sys.stdout, highlight=False)


def painted(lines: Sequence[Line]) -> "Text":
    """Lines as rich prints them."""
    from rich.text import Text

    text = Text(no_wrap=True, overflow="crop")
    for number, line in enumerate(lines):
        text.append("\n" if number else "")
        for piece in settled(line):
            text.append(piece.text, STYLES[piece.tone])
    return text


def watch(draw: Callable[[], tuple[Sequence[Line], bool]], every: float) -> None:
    """Draw again and again on a screen of its own, until Ctrl-C or until `draw` says that it was the last time.

    What was drawn last is left standing. Raises WrongUse where there is no terminal to draw on.
    """
    if not sys.stdout.isatty() or os.environ.get("TERM") == "dumb":
        raise WrongUse("--watch needs a terminal to draw on; without it, the same is printed once")
    import time

    from rich.live import Live

    lines, over = draw()
    try:
        if over:
            return
        # Not redirected: what we draw depends on what standard output is.
        live = Live(console=console(), screen=True, auto_refresh=False, redirect_stdout=False, redirect_stderr=False)
        with live:
            live.update(painted(fitted(lines)), refresh=True)
            while not over:
                time.sleep(every)
                lines, over = draw()
                live.update(painted(fitted(lines)), refresh=True)
    finally:
        show(lines)


def fitted(lines: Sequence[Line]) -> Sequence[Line]:
    """As many of the lines as the terminal has."""
    return lines[: size().lines]
