"""The known word that a mistyped one probably means."""

from collections.abc import Iterable
from itertools import islice

# Comparing takes microseconds a word: of a very long list only the beginning is looked at.
MOST_COMPARED = 2000


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The known word most like this one; None where none is much like it."""
    from difflib import get_close_matches

    by_folded = {candidate.casefold(): candidate for candidate in islice(known, MOST_COMPARED)}
    matches = get_close_matches(word.casefold(), by_folded, n=1)
    return by_folded[matches[0]] if matches else None


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """The end of an error message: `; did you mean 'extract'?`, or nothing."""
    match = nearest(word, known)
    return f"; did you mean '{match}'?" if match else ""
