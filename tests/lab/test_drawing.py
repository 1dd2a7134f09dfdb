"""The pictures, held as text. After a wanted change: GOLDEN=write pytest tests/lab/test_drawing.py"""

from __future__ import annotations

import os
from io import BytesIO, TextIOWrapper
from itertools import combinations
from math import dist
from pathlib import Path
from typing import Literal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from kvlab import stages
from kvlab.lab.actions import ACTIONS, TAB_ACTIONS, hints
from kvlab.lab.app import locale_asked_for, theme_for
from kvlab.lab.draw.canvas import Canvas, fit, shown
from kvlab.lab.draw.ring import legible, lined_up
from kvlab.lab.draw.screen import compose, help_pages, screen
from kvlab.lab.draw.theme import ACCENT, BACKGROUND, BAD, BAR, DEAD, DIM, GOOD, PALETTE, TEXT, Theme
from kvlab.lab.narrate import sentences
from kvlab.lab.source import parsed
from kvlab.lab.view import Flight, Moment, Narration, Tab, View
from kvlab.messages import NodeId, RingSpec
from kvlab.script.commands import USAGE
from kvlab.script.help import help_on
from kvlab.stages import STAGES, pieces
from kvlab.trace.events import (
    AnyEvent,
    EventsLost,
    LineFailed,
    NodeFault,
    NodeStarting,
    Overwritten,
    ScriptLine,
)
from tests.lab.stories import (
    CODE,
    behind,
    births,
    conflict,
    copy_of,
    cut,
    death,
    found_out,
    held,
    late_put,
    loaded,
    mended,
    mirrored,
    put,
    repaired_get,
    stood_in,
    under_way,
    view,
    written,
)

GOLDEN = Path(__file__).parent / "golden"
SIZES = ((80, 24), (120, 40), (200, 60))
PAST = Moment(held=True, behind=True, at_ms=12_430.0, end_ms=15_600.0, place=16, end=328)

ASKS = Narration(
    place=2, of=9, question="One of its three replicas dies. Is the milk gone?", why_not_next="predict first"
)
ANSWERS = msgspec.structs.replace(
    ASKS, answer="No: two more nodes hold it.", said=("Three nodes hold the milk.",), why_not_next=""
)
FALLS_SHORT = Narration(
    place=3, of=9, failed=("get cart:42 via n1 = milk", "nothing, and n1 says why"), again=True
)


def scenes() -> dict[str, View]:
    starting = [event for event in births() if isinstance(event, NodeStarting)]
    return {
        "starting": view(list(starting), ready=False),
        "written": view(births(), put()),
        "unknown": view(births(), put(), death("n3", 400), put("n1.0.2", 500, b"bread", silent="n3")),
        "cut": view(births(), put(), cut(400)),
        "help": view(births(), put(), help=1),
        "hashmap": view(births(1), stage=1, nodes=1),
        "operation": view(births(), put("n1.0.1", 250), late_put("n1.0.2"), stage=5, tab="operation"),
        "repaired": view(births(), repaired_get(), stage=5, tab="operation"),
        "silent": view(births(), death("n3", 290), put(silent="n3"), tab="operation"),
        "code": view(births(), late_put(), stage=5, tab="code", chosen=8, source=parsed("tiny.py", CODE)),
        "messages": view(
            births(),
            put(),
            under_way(),
            tab="messages",
            simulated=True,
            in_hand=True,
            picked="n1.0.52",
            moment=Moment(kind="sim", held=True, step=97, steps=97),
        ),
        "past-live": view(births(), put()[:6], moment=PAST, why_not_do="the past"),
        "past-sim": view(
            births(),
            put()[:6],
            simulated=True,
            moment=msgspec.structs.replace(PAST, kind="sim", step=41, steps=97),
        ),
        "replay": view(
            births(),
            put()[:6],
            moment=msgspec.structs.replace(PAST, kind="replay", speed=4.0),
            why_not_do="a recording",
        ),
        "load": view(births(), loaded(), tab="load", loading="load 100/s for 30s", load_left_ms=25_000.0),
        "mirrors": view(births(3), mirrored(), stage=2, nodes=3),
        "beliefs": view(births(), put(), *found_out(), stage=7, now_ms=3300.0),
        "hints": view(births(), put(), stood_in(), stage=8, now_ms=2500.0),
        "data-mirrors": view(births(3), mirrored(), stage=2, nodes=3, tab="data"),
        "data-copies": view(births(), put(), stage=4, tab="data"),
        "data-versions": view(births(), put(), behind(), stage=5, tab="data"),
        "data-siblings": view(births(), put(), conflict(), stage=6, tab="data"),
        "data-hints": view(births(), put(), stood_in(), stage=8, tab="data", now_ms=2500.0),
        "data-walk": view(births(), put(), conflict(), mended(), stage=9, tab="data", now_ms=4200.0),
        "demo-asks": view(births(), put(), narration=ASKS),
        "demo-answers": view(births(), put(), death("n3", 400), narration=ANSWERS),
        "demo-falls-short": view(births(), put(), narration=FALLS_SHORT),
    }


SCENES = scenes()
"""Views do not change: one of each is enough."""

HELD = [(scene, size) for scene in SCENES for size in SIZES]


@pytest.mark.parametrize(
    ("scene", "size"), HELD, ids=lambda of: of if isinstance(of, str) else f"{of[0]}x{of[1]}"
)
def test_the_screen_is_as_it_was_found_good(scene: str, size: tuple[int, int]) -> None:
    drawn = "\n".join(compose(SCENES[scene], size, Theme()).text()) + "\n"
    golden = GOLDEN / f"{scene}-{size[0]}x{size[1]}.txt"
    if os.environ.get("GOLDEN") == "write":
        golden.parent.mkdir(exist_ok=True)
        golden.write_text(drawn, encoding="utf-8")
    assert drawn == golden.read_text(encoding="utf-8")


@pytest.mark.parametrize("size", [(60, 20), (80, 24), (99, 31), (120, 40), (200, 60)])
@pytest.mark.parametrize("theme", [Theme(), Theme(colour=False), Theme(ascii=True)], ids=str)
@pytest.mark.parametrize("scene", list(SCENES))
def test_every_row_fills_the_window_exactly(scene: str, theme: Theme, size: tuple[int, int]) -> None:
    rows = screen(SCENES[scene], size, theme)
    assert len(rows) == size[1]
    assert {sum(cell_len(segment.text) for segment in row) for row in rows} == {size[0]}


@pytest.mark.parametrize("scene", list(SCENES))
def test_ascii_draws_nothing_but_ascii(scene: str) -> None:
    for size in SIZES:
        assert all(row.isascii() for row in compose(SCENES[scene], size, Theme(ascii=True)).text())


def test_ascii_stands_in_for_what_it_cannot_show_without_losing_a_column() -> None:
    foreign = compose(view(births(), put(value="牛乳é".encode())), (120, 40), Theme(ascii=True))
    assert "put cart:42 = ?????" in "\n".join(foreign.text())
    assert {sum(map(len, row)) for row in foreign.chars} == {120}


@pytest.mark.parametrize(
    ("environ", "asked_for"),
    [
        ({}, ""),
        ({"LANG": "bg_BG.UTF-8"}, "bg_BG.UTF-8"),
        ({"LANG": "bg_BG.UTF-8", "LC_ALL": "C"}, "C"),
        ({"LANG": "C", "LC_CTYPE": "C.UTF-8"}, "C"),  # as Python sets it
        ({"LANG": "C", "LC_CTYPE": "de_DE.UTF-8"}, "de_DE.UTF-8"),
        ({"LC_CTYPE": "C.UTF-8"}, "C.UTF-8"),
    ],
)
def test_a_locale_without_unicode_is_honoured_as_its_user_has_set_it(
    environ: dict[str, str], asked_for: str
) -> None:
    assert locale_asked_for(environ) == asked_for


@pytest.mark.parametrize(("value", "colour"), [("1", False), ("", True), (None, True)])
def test_no_color_is_honoured(value: str | None, colour: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """As no-color.org asks for it: whatever it is set to, if that is not empty."""
    monkeypatch.delenv("NO_COLOR", raising=False)
    if value is not None:
        monkeypatch.setenv("NO_COLOR", value)
    assert theme_for(ascii=False).colour is colour


@pytest.mark.parametrize(
    ("locale", "encoding", "asked", "drawn_in_ascii"),
    [
        ("C.UTF-8", "utf-8", False, False),
        ("C.UTF-8", "utf-8", True, True),
        ("C", "utf-8", False, True),
        ("C.UTF-8", "ascii", False, True),
    ],
)
def test_where_there_is_no_unicode_or_none_is_wanted_all_is_ascii(
    locale: str, encoding: str, asked: bool, drawn_in_ascii: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LC_ALL", locale)
    monkeypatch.setattr("sys.__stdout__", TextIOWrapper(BytesIO(), encoding=encoding))
    assert theme_for(ascii=asked).ascii is drawn_in_ascii


def linear(colour: str) -> tuple[float, ...]:
    """Red, green and blue, as light."""
    shares = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    return tuple(part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in shares)


def luminance(light: tuple[float, ...]) -> float:
    return sum(part * weight for part, weight in zip(light, (0.2126, 0.7152, 0.0722), strict=True))


def cielab(light: tuple[float, ...]) -> tuple[float, float, float]:
    def root(part: float) -> float:
        return part ** (1 / 3) if part > 0.008856 else 7.787 * part + 16 / 116

    red, green, blue = light
    x = root((0.4124 * red + 0.3576 * green + 0.1805 * blue) / 0.9505)
    y = root(luminance(light))
    z = root((0.0193 * red + 0.1192 * green + 0.9505 * blue) / 1.089)
    return 116 * y - 16, 500 * (x - y), 200 * (y - z)


SEEN_BY = {
    "most": ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)),
    "protan": ((0.1523, 1.0526, -0.2049), (0.1145, 0.7863, 0.0992), (-0.0039, -0.0481, 1.052)),
    "deutan": ((0.3673, 0.8606, -0.2280), (0.2801, 0.6725, 0.0474), (-0.0118, 0.0429, 0.9689)),
    "tritan": ((1.2555, -0.0767, -0.1788), (-0.0784, 0.9308, 0.1476), (0.0047, 0.6914, 0.3039)),
}
"""Who sees red, green and blue as what: Machado, Oliveira and Fernandes 2009, at full severity."""


@pytest.mark.parametrize("eyes", SEEN_BY)
def test_nodes_are_told_apart_by_their_colours_whoever_looks(eyes: str) -> None:
    def seen(colour: str) -> tuple[float, float, float]:
        rows = (zip(row, linear(colour), strict=True) for row in SEEN_BY[eyes])
        return cielab(tuple(min(1.0, max(0.0, sum(a * b for a, b in row))) for row in rows))

    for one, other in combinations(PALETTE, 2):
        assert dist(seen(one), seen(other)) >= 25, f"{one} and {other}"


def test_what_is_written_can_be_read_on_its_ground() -> None:
    def contrast(one: str, other: str) -> float:
        darker, lighter = sorted(luminance(linear(colour)) + 0.05 for colour in (one, other))
        return lighter / darker

    for colour in (*PALETTE, TEXT, DIM, DEAD, ACCENT, GOOD, BAD):
        assert contrast(colour, BACKGROUND) >= 4.5, colour
    for colour in (TEXT, DIM, DEAD, ACCENT, GOOD, BAD):
        assert contrast(colour, BAR) >= 4.5, colour


def test_without_colour_no_style_has_one() -> None:
    for row in screen(SCENES["unknown"], (120, 40), Theme(colour=False)):
        for segment in row:
            assert segment.style is not None
            assert segment.style.color is None
            assert segment.style.bgcolor is None


def test_without_colour_every_arc_still_says_whose_it_is() -> None:
    ring = "".join(row[:70] for row in compose(SCENES["written"], (120, 40), Theme(colour=False)).text())
    assert all(ring.count(digit) > 20 for digit in "12345")


@pytest.mark.parametrize("size", [(59, 24), (80, 19), (10, 3), (1, 1)])
def test_a_window_too_small_says_what_is_needed(size: tuple[int, int]) -> None:
    text = " ".join(compose(SCENES["written"], size, Theme()).text())
    assert size[0] < 30 or "needs 60 columns and 20 rows" in text


def test_a_ring_of_many_tokens_is_unrolled_where_its_arcs_would_be_confetti() -> None:
    members = SCENES["written"].ring.members
    assert legible(RingSpec(0, members, 8), (70, 34))
    assert not legible(RingSpec(0, members, 64), (70, 34))
    assert not legible(RingSpec(0, members, 8), (40, 14))


def test_a_message_under_way_moves_from_its_sender_to_its_receiver() -> None:
    def dots(progress: float) -> set[tuple[int, int]]:
        flights = (Flight(NodeId("n1"), NodeId("n4"), "Keep", progress),)
        rows = compose(view(births(), put(), flights=flights), (120, 40), Theme()).text()
        return {(x, y) for y, row in enumerate(rows) for x, char in enumerate(row[:60]) if char == "●"}

    early, late = dots(0.3), dots(0.7)
    assert len(early) == len(late) == 1
    assert early != late


def test_a_moving_dot_never_covers_a_badge() -> None:
    for progress in (0.0, 0.02, 0.97):
        flights = tuple(
            Flight(NodeId(f"n{i}"), NodeId(f"n{j}"), "Keep", progress)
            for i in range(1, 6)
            for j in range(1, 6)
            if i != j
        )
        rows = compose(view(births(), put(), flights=flights), (120, 40), Theme()).text()
        circle = "\n".join(row[:70] for row in rows[4:32])
        assert all(f" n{i} " in circle for i in range(1, 6))


def test_what_does_not_move_is_drawn_without_animation() -> None:
    flights = (Flight(NodeId("n1"), NodeId("n4"), "Keep", 0.5),)
    still = view(births(), put(), flights=flights, moving=False)
    assert not any("●" in row[:60] for row in compose(still, (120, 40), Theme()).text()[1:])


def test_twelve_nodes_are_all_listed_where_there_is_room_and_counted_where_not() -> None:
    many = view(births(12), nodes=12)
    large = "\n".join(compose(many, (120, 40), Theme()).text())
    assert all(f"n{i} " in large for i in range(1, 13))
    assert "more: make the window taller" in "\n".join(compose(many, (60, 20), Theme()).text())


@pytest.mark.parametrize("size", SIZES)
def test_a_line_that_was_not_done_is_marked_in_the_scenario(size: tuple[int, int]) -> None:
    refused: list[AnyEvent] = [
        ScriptLine(410, NodeId(""), "kill n3"),
        LineFailed(410, NodeId(""), "kill n3", 410, "not done"),
    ]
    drawn = compose(view(births(), put(), death("n3", 400), refused), size, Theme()).text()
    assert [("not done" in row) for row in drawn if "0.4 kill n3" in row] == [False, True]


@pytest.mark.parametrize("scene", [name for name, seen in SCENES.items() if seen.narration is None])
def test_at_80_columns_the_advice_is_never_cut(scene: str) -> None:
    _, advice = sentences(SCENES[scene])
    assert len(advice) <= 78
    words = " ".join(" ".join(compose(SCENES[scene], (80, 24), Theme()).text()).split())
    assert scene == "help" or advice in words


def test_advice_beside_a_long_message_says_where_the_rest_of_it_is() -> None:
    """Even where the first stage has lost its last node, and says so in two rows."""
    told = view(births(1), stage=1, nodes=1, notice="a word and " * 40)
    drawn = compose(told, (80, 24), Theme()).text()
    assert any(row.endswith("… (v: all)") for row in drawn)
    assert any("and see what is left." in row for row in drawn)


def test_zones_are_shown_where_there_is_more_than_one() -> None:
    zoned: list[AnyEvent] = [
        NodeStarting(float(i), NodeId(f"n{i + 1}"), f"z{i % 2 + 1}", 1) for i in range(5)
    ]
    two = view(zoned, [event for event in births() if event not in births()[:5]], put())
    wide = "\n".join(compose(two, (120, 40), Theme()).text())
    assert "3 copies of a key in 2 zones" in wide
    assert "n3·z1" in wide
    assert "hold it: n3 (z1), n4 (z2) and n2 (z2)" in wide
    narrow = "\n".join(compose(two, (80, 24), Theme()).text())
    assert all(
        name in narrow for name in ("n3·z1  milk", "n4·z2  milk", "n2·z2  milk", "STATE     ZONE  KEYS")
    )
    one = view(births(), put())
    for size in SIZES:
        drawn = "\n".join(compose(one, size, Theme()).text())
        assert "n3·z1" not in drawn
        assert "ZONE" not in drawn


def test_what_a_home_replica_holds_stands_beside_it_and_stands_out_where_they_differ() -> None:
    late = put("n1.0.2", 500, b"bread", silent="n3")
    for told, text, colour in (
        ([put()], " n3  milk  n4  milk  n2  milk", TEXT),
        ([put(), late], " n3  milk  n4  bread  n2  bread", ACCENT),
    ):
        seen = view(births(), *told)
        for size in SIZES:
            canvas = compose(seen, size, Theme())
            y, row = next((y, row) for y, row in enumerate(canvas.text()) if text in row)
            style = canvas.styles[y][row.index("milk")]
            assert style.color == Theme().style(colour).color
    nobody = "\n".join(compose(view(births()), (80, 24), Theme()).text())
    assert "cart:42 →  n3  n4  n2" in nobody


@given(st.lists(st.integers(1, 30), min_size=1, max_size=6), st.integers(1, 120), st.integers(60, 120))
def test_nothing_beside_the_strip_covers_the_place_of_the_key(
    lengths: list[int], at: int, width: int
) -> None:
    at = min(at, width - 2)
    columns = lined_up(lengths, at, width)
    cells = [x for left, size in zip(columns, lengths, strict=False) for x in range(left, left + size)]
    assert cells == sorted(set(cells))
    assert at not in cells
    assert not cells or (cells[0] > 0 and cells[-1] < width)
    assert columns or sum(lengths) + max(lengths) >= width - 2  # else there is room on both sides


@pytest.mark.parametrize("size", [(60, 20), *SIZES])
@pytest.mark.parametrize("stage", [stage.number for stage in STAGES])
def test_every_tab_of_every_stage_says_something_within_its_window(stage: int, size: tuple[int, int]) -> None:
    nodes = {1: 1, 2: 3}.get(stage, 5)
    for tab in TAB_ACTIONS:
        seen = view(births(nodes), put() if nodes == 5 else [], stage=stage, nodes=nodes, tab=tab.tab)
        drawn = compose(seen, size, Theme())
        assert "".join(drawn.text()[2:-6]).strip(), f"{tab.label} of stage {stage} is empty"
        assert {sum(map(cell_len, row)) for row in drawn.chars} == {size[0]}
        assert all(row.isascii() for row in compose(seen, size, Theme(ascii=True)).text())


def test_the_tab_line_names_all_six_in_the_smallest_window_and_marks_the_open_one() -> None:
    seen = view(births(), put(), tab="data")
    row = compose(seen, (60, 20), Theme()).text()[1]
    assert row.strip() == "1 cluster  2 operation  3 data  4 messages  5 load  6 code"
    plain = screen(seen, (60, 20), Theme(colour=False))[1]
    marked = [segment.text for segment in plain if segment.style is not None and segment.style.reverse]
    assert marked == [" 3 data "]


def test_a_tab_without_anything_to_show_is_grey() -> None:
    def colour(stage: int, nodes: int) -> object:
        row = screen(view(births(nodes), stage=stage, nodes=nodes), (80, 24), Theme())[1]
        style = next(segment.style for segment in row if "messages" in segment.text)
        assert style is not None
        return style.color

    assert colour(1, 1) == Theme().style(DEAD).color
    assert colour(4, 5) == Theme().style(TEXT).color


def test_a_key_that_cannot_be_used_is_grey_in_the_footer_and_in_the_help() -> None:
    for colour in (True, False):
        theme = Theme(colour=colour)
        footer = compose(view(births(), put()), (120, 40), theme)
        y, row = next((y, row) for y, row in enumerate(footer.text()) if "w put" in row)
        for words, grey in (("w put", DEAD), ("r restart", DEAD)):
            expected = theme.style(grey if words == "r restart" else TEXT, BAR)
            assert footer.styles[y][row.index(words) + len(words) - 1] == expected
        page = compose(view(births(), put(), help=1), (120, 40), theme)
        for what, shade in (("write the key shown", TEXT), ("start a killed node again", DIM)):
            y, row = next((y, row) for y, row in enumerate(page.text()) if what in row)
            assert page.styles[y][row.index(what)] == theme.style(shade)


@pytest.mark.parametrize("kind", ["live", "sim"])
@pytest.mark.parametrize("tab", [action.tab for action in TAB_ACTIONS])
def test_help_and_quit_stand_in_the_footer_of_the_smallest_window(
    tab: Tab, kind: Literal["live", "sim"]
) -> None:
    for moment in (Moment(kind=kind), Moment(kind=kind, held=True, behind=True)):
        seen = view(births(), put(), tab=tab, moment=moment)
        footer = " ".join(
            compose(msgspec.structs.replace(seen, hints=hints(seen)), (60, 20), Theme()).text()[-2:]
        )
        assert "? help" in footer
        assert "q quit" in footer


@pytest.mark.parametrize("size", [*SIZES, (80, 34)], ids=lambda size: f"{size[0]}x{size[1]}")
def test_in_a_demo_all_that_is_not_for_the_room_makes_room(size: tuple[int, int]) -> None:
    talk = Narration(place=2, of=9, question="Who holds it now?")
    seen = view(births(), put(), stage=8, narration=talk)
    demo, plain = ("\n".join(compose(one, size, Theme()).text()) for one in (seen, view(births(), put())))
    for words in ("GOAL", "SCENARIO"):
        assert words in plain
        assert words not in demo
    assert "Who holds it now?" in demo
    assert "WHO BELIEVES WHOM" in demo
    assert all(f"n{i}  ● up" in demo for i in range(1, 6))


def test_events_that_were_lost_are_counted_in_the_header() -> None:
    flood: list[AnyEvent] = [EventsLost(400.0, NodeId("n2"), 1200), EventsLost(500.0, NodeId("n2"), 34)]
    for size in SIZES:
        assert "1234 events lost" in compose(view(births(), put(), flood), size, Theme()).text()[0]


@pytest.mark.parametrize("size", [(60, 20), (80, 24), (120, 40)])
def test_the_pages_of_help_name_every_key_once(size: tuple[int, int]) -> None:
    pages = help_pages(view(births()), size)
    read = [compose(view(births(), help=i + 1), size, Theme()).text() for i in range(pages)]
    drawn = "\n".join(row for page in read for row in page)
    words = " ".join(drawn.split())
    for action in ACTIONS:
        assert drawn.count(f"  {action.help[:40]}") == 1, action.help
        assert action.help in words  # to its end, in two lines if need be


@pytest.mark.parametrize("topic", ["", *USAGE])
@pytest.mark.parametrize("size", SIZES)
def test_every_page_of_help_fits_its_window(topic: str, size: tuple[int, int]) -> None:
    drawn = "\n".join(compose(view(births(), page=help_on(topic)), size, Theme()).text())
    assert "make the window taller" not in drawn
    written = "".join(drawn.split())
    usages = [USAGE[topic]] if topic else [usage for name, usage in USAGE.items() if name != "cluster"]
    assert all("".join(usage.split()) in written for usage in usages)


def test_nothing_in_a_key_can_move_the_cursor_or_break_the_grid() -> None:
    assert shown(b"\x1b[2Jboo\n") == "\\x1b[2Jboo\\n"
    assert shown(b"\xff\xfe") == "\\xff\\xfe"
    assert shown("牛乳".encode()) == "牛乳"
    wide = put(value="牛乳牛乳牛乳牛乳".encode())
    for row in screen(view(births(), wide), (80, 24), Theme()):
        assert sum(cell_len(segment.text) for segment in row) == 80


def test_text_is_cut_with_a_sign_of_it() -> None:
    assert fit("exactly", 7) == "exactly"
    assert fit("too long", 7) == "too lo…"
    assert fit("too long", 0) == ""


def test_a_canvas_cuts_off_what_falls_outside() -> None:
    canvas = Canvas((4, 2), Theme().style())
    canvas.put(-2, 0, "abcdefgh", Theme().style())
    canvas.put(0, 7, "unseen", Theme().style())
    canvas.put(3, 1, "牛", Theme().style())
    assert canvas.text() == ["cdef", ""]


def test_a_write_of_a_mirror_is_told_of_all_who_hold_it() -> None:
    written = view(births(3), put(), stage=2, nodes=3)
    assert written.op is not None
    told = sentences(written)[0]
    assert "nowhere else" not in told
    assert all(node in told for node in written.op.holders), told


def test_an_overwritten_write_and_a_lock_are_told_in_sentences() -> None:
    n1 = NodeId("n1")
    locked = view(births(3), mirrored(), stage=2, nodes=3)
    assert sentences(locked)[0] == "n3 has not heard n1 for a while, and takes no writes until it does."
    lost = view(births(3), [Overwritten(2000.0, n1, b"k", (b"40",), ())], stage=2, nodes=3)
    assert sentences(lost)[0] == "n1 had told a client that k = 40 is done; a delete has overwritten it."


MOMENTS = (Moment(), Moment(kind="sim", held=True, step=123_456, steps=123_456, speed=1 / 64))


@pytest.mark.parametrize("moment", MOMENTS, ids=lambda moment: moment.kind)
@pytest.mark.parametrize("number", range(1, 10))
def test_whose_code_runs_stands_in_the_header(number: int, moment: Moment) -> None:
    stage, name = stages.find(number), pieces.chapter(number).piece
    seen = view(births(stage.nodes_min), stage=number, nodes=stage.nodes_min, mine=name, moment=moment)
    for size in SIZES:
        header = compose(seen, size, Theme()).text()[0]
        assert f"your {name}" in header
        assert header.endswith(f" {moment.badge}")
        assert " up " in header
    assert "your" not in compose(msgspec.structs.replace(seen, mine=""), size, Theme()).text()[0]


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
def test_a_node_that_came_to_what_is_not_written_says_so_in_its_row_uncut(size: tuple[int, int]) -> None:
    trouble = "quorum.py, line 83: QuorumNode.put is not written yet"
    for text, shown_as in (
        (trouble, "not written yet"),
        (f"quorum.py, line 90: {'x' * 80}", "fault (v: all)"),
    ):
        told: list[AnyEvent] = [NodeFault(900, NodeId("n1"), text)]
        seen = view(births(), put(), told, stage=5, mine="quorum.py")
        row = next(line for line in compose(seen, size, Theme()).text() if " n1  ● up" in line)
        assert shown_as in row


def test_siblings_beside_the_strip_are_named_or_counted_never_cut() -> None:
    short = "\n".join(compose(view(births(), conflict(), stage=6), (80, 24), Theme()).text())
    assert "milk and bread" in short
    one, two = written("n3", 1, b"strawberry jam"), written("n4", 1, b"marmalade")
    both = copy_of(one, two, seen="n3:1 n4:1")
    held_by = [held(node, both, 400 + i) for i, node in enumerate(("n2", "n3", "n4"))]
    row = compose(view(births(), held_by, stage=6), (80, 24), Theme()).text()[6]
    assert row.count("2 values") == 3
    assert "…" not in row
