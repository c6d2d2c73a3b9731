"""Lines and spans: nothing harmful gets in, nothing is wider than it says, nothing is lost where it only wraps."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cronflow.view.ink import (
    Span,
    beginning,
    cells,
    clipped,
    folded,
    harmless,
    line,
    padded,
    readable,
    settled,
    span,
    text_of,
    width,
)
from cronflow.view.signs import ASCII, UNICODE, Look, legend, sign

TEXT = st.text(max_size=60)
LINES = st.lists(st.tuples(TEXT, st.sampled_from(["plain", "dim", "bad"])), max_size=6).map(
    lambda parts: tuple(span(text, tone) for text, tone in parts)
)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("as it is", "as it is"),
        ("Grüße, 東京, ●", "Grüße, 東京, ●"),
        ("tab\tand\nbreak", "tab and break"),
        ("\x1b[31mred\x1b[0m", "^[[31mred^[[0m"),
        ("\x1b]0;title\x07", "^[]0;title^G"),
        ("over\rwritten", "over^Mwritten"),
        ("\x00\x7f\x9b\x85", "^@^?\\x9b\\x85"),
        ("\u202eright to left", "\\u202eright to left"),
        ("zero\u200bwidth\ufeff", "zero\\u200bwidth\\ufeff"),
        ("line\u2028separator", "line\\u2028separator"),
        ("\udcff", "\\udcff"),
        ("\U000e0041 tag", "\\U000e0041 tag"),
        ("hard\u00a0blank", "hard\u00a0blank"),
    ],
)
def test_text_from_outside_is_made_harmless(text: str, shown: str) -> None:
    assert harmless(text) == shown
    assert text_of(line(text)) == shown


@given(TEXT)
def test_nothing_harmful_stays(text: str) -> None:
    kinds = {unicodedata.category(character) for character in harmless(text)}
    assert not kinds & {"Cc", "Cf", "Cs", "Zl", "Zp"}
    assert harmless(harmless(text)) == harmless(text)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\tb\nc\n", "a\tb\nc\n"),
        ("from windows\r\n", "from windows\n"),
        ("10%\r20%\r", "10%^M20%^M"),
        ("\x1b[1;31mred\x1b[0m", "red"),
        ("\x1b[38:5:3mcolon\x1b[m", "colon"),
        ("\x1b[2J\x1b[H\x1b]52;c;ZXZpbA==\x07", "^[[2J^[[H^[]52;c;ZXZpbA==^G"),
        ("\x1b[31", "^[[31"),
    ],
)
def test_a_log_is_readable_and_can_do_nothing(text: str, shown: str) -> None:
    assert readable(text) == shown


@pytest.mark.parametrize(("text", "columns"), [("", 0), ("abc", 3), ("東京", 4), ("e\u0301", 1), ("●✗⊘", 3), ("😀", 2)])
def test_cells(text: str, columns: int) -> None:
    assert cells(text) == columns


def test_what_is_clipped_ends_in_a_mark() -> None:
    spans = (Span("one "), Span("two three", "bad"))
    assert text_of(clipped(spans, 13, "…")) == "one two three"
    assert text_of(clipped(spans, 9, "…")) == "one two …"
    assert text_of(clipped(spans, 5, "..")) == "one.."
    assert clipped(spans, 0, "…") == ()


@given(LINES, st.integers(0, 50), st.sampled_from(["…", ".."]))
def test_clipped_is_never_wider(spans: tuple[Span, ...], room: int, more: str) -> None:
    assert width(clipped(spans, room, more)) <= room


@given(LINES, st.integers(20, 60), st.integers(0, 11), st.sampled_from(["", " \\"]))
def test_folded_is_never_wider_and_loses_no_word(spans: tuple[Span, ...], room: int, indent: int, mark: str) -> None:
    lines = folded(spans, room, indent, mark)
    assert all(width(part) <= room for part in lines)
    said = "".join(text_of(part).removesuffix(mark.strip()) for part in lines)
    if not mark:
        assert said.replace(" ", "") == text_of(spans).replace(" ", "")


def test_what_follows_is_indented() -> None:
    spans = (Span("reason   ", "dim"), Span("one two three four"))
    assert [text_of(part) for part in folded(spans, 20, 9)] == ["reason   one two", "         three four"]


def test_a_command_can_be_pasted_from_its_folds() -> None:
    lines = folded(line("cronflow logs daily_sales 20261122T000000Z load"), 30, 2, " \\")
    assert " ".join(text_of(part).removesuffix("\\") for part in lines).split() == [
        "cronflow", "logs", "daily_sales", "20261122T000000Z", "load",
    ]  # fmt: skip
    assert all(text_of(part).endswith("\\") for part in lines[:-1])


@given(TEXT, st.integers(0, 30))
def test_a_beginning_fits(text: str, room: int) -> None:
    assert text.startswith(beginning(text, room))
    assert cells(beginning(text, room)) <= room


@given(LINES)
def test_settled_says_the_same(spans: tuple[Span, ...]) -> None:
    assert text_of(settled(spans)) == text_of(spans)
    assert all(first.tone != second.tone for first, second in zip(settled(spans), settled(spans)[1:], strict=False))


def test_padding_goes_to_either_side() -> None:
    assert padded(line("a"), 3) == (Span("a"), Span("  "))
    assert padded(line("a"), 3, right=True) == (Span("  "), Span("a"))
    assert padded(line("abc"), 2) == line("abc")


@pytest.mark.parametrize("signs", [UNICODE, ASCII])
def test_every_state_has_a_sign_of_its_own_of_one_column(signs: object) -> None:
    look = Look(None, signs)  # type: ignore[arg-type]
    shown = {state: sign(state, look).text for state in look.signs.states if state != "lost"}
    assert len(set(shown.values())) == len(shown)
    assert {cells(text) for text in shown.values()} == {1}


def test_the_signs_for_ascii_are_ascii() -> None:
    assert all(text.isascii() for text in [*ASCII.states.values(), ASCII.bar, ASCII.wait, ASCII.more, ASCII.to])


def test_the_legend_explains_what_occurs_but_not_plain_success() -> None:
    assert legend({"succeeded"}, Look(None, UNICODE)) == []
    assert [text_of(part) for part in legend({"succeeded", "failed"}, Look(None, UNICODE))] == [
        "● succeeded   ✗ failed"
    ]
    narrow = legend({"succeeded", "failed", "upstream_failed"}, Look(24, ASCII))
    assert [text_of(part) for part in narrow] == ["+ succeeded   x failed", "! upstream failed"]
