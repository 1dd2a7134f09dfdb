"""The messages tab, with its messages in hand, and the load tab: what they show, and what their keys do."""

from __future__ import annotations

import re
from typing import Any

import pytest
from textual.pilot import Pilot

from kvlab.lab.actions import LOAD_RATES, find, load_rate
from kvlab.lab.app import LabApp
from kvlab.lab.draw.canvas import short_ms
from kvlab.lab.draw.plot import scale, spark
from kvlab.lab.draw.screen import compose
from kvlab.lab.draw.theme import Theme
from kvlab.lab.driver import LiveDriver
from kvlab.lab.view import Moment, View
from kvlab.messages import NodeId, OpId
from kvlab.trace.events import AnyEvent, Delivered, OpEnded, Used
from kvlab.world.process.supervisor import ProcessWorld
from tests.lab.stories import KEY, births, config, death, loaded, model_of, put, under_way, view
from tests.lab.test_lab import lab, shows, sim, text, type_line, until


def drawn(seen: View, size: tuple[int, int] = (120, 40), theme: Theme | None = None) -> str:
    return "\n".join(compose(seen, size, theme or Theme()).text())


def on_messages(**changes: Any) -> View:
    return view(births(), put(), under_way(), tab="messages", **changes)


# -- messages ------------------------------------------------------------------------------------


def test_a_message_under_way_says_whose_it_is_and_how_old() -> None:
    row = next(row for row in drawn(on_messages(now_ms=912.4)).splitlines() if "Keep: keep this copy" in row)
    assert re.findall(r"\S+", row)[:3] == ["n1", "→", "n4"]
    assert "cart:42" in row
    assert "put n1.0.5" in row
    assert "12.0 ms" in row


def test_the_newest_message_stands_first_and_a_heartbeat_only_where_it_is_asked_for() -> None:
    rows = [row.kind for row in on_messages().wire_shown]
    assert rows == ["Fetch", "Keep"]
    assert "1 heartbeat not shown" in drawn(on_messages())
    asked = drawn(on_messages(heartbeats=True))
    assert [row.kind for row in on_messages(heartbeats=True).wire_shown] == ["Fetch", "Keep", "Beat"]
    assert "not shown" not in asked


def test_what_was_dropped_is_told_with_the_reason() -> None:
    assert "n1  ✗ n3  the network is cut: Keep cart:42 for put n1.0.5" in drawn(on_messages())
    assert "Beat" not in drawn(on_messages())
    assert "n2  ✗ n1  the link loses messages: Beat" in drawn(on_messages(heartbeats=True))


def test_a_message_that_has_arrived_is_under_way_no_more() -> None:
    arrived: list[AnyEvent] = [
        Delivered(901.0, NodeId("n4"), "n1.0.52", NodeId("n1"), "Keep", OpId("n1.0.5"))
    ]
    seen = view(births(), put(), under_way(), arrived, tab="messages")
    assert [row.kind for row in seen.wire_shown] == ["Fetch"]


def test_one_whose_end_nobody_has_told_is_forgotten_after_a_while() -> None:
    late: list[AnyEvent] = [Delivered(30_000.0, NodeId("n1"), "n9.9.9", NodeId("n2"), "Kept")]
    assert not view(births(), under_way(), late, tab="messages").wire


@pytest.mark.parametrize("name", ["deliver", "drop", "twice"])
def test_real_messages_are_in_nobodys_hands_and_the_key_says_so(name: str) -> None:
    assert "--world sim" in find(name).refusal(on_messages())
    assert not find(name).refusal(on_messages(in_hand=True))
    assert "open its tab first: 4 (messages)" in find(name).refusal(view(births(), under_way(), in_hand=True))


def test_in_the_simulator_keys_choose_a_message_and_deliver_drop_or_double_it() -> None:
    async def meddle(pilot: Pilot[None], app: LabApp) -> None:
        await shows(pilot, app, "5/5 up")
        await pilot.press("4", "space", "w")
        await shows(pilot, app, "UNDER WAY 3", "in ")
        first, second = (row.name for row in app.view().wire_shown[:2])
        await pilot.press("down", "d")
        await shows(pilot, app, "UNDER WAY 2", "dropped by hand: Keep cart:42", f"message {second} lost")
        assert second not in [row.name for row in app.view().wire]
        await pilot.press("up", "up", "t")
        await shows(pilot, app, "UNDER WAY 3", "x2", f"message {first} twice")
        stored = len(app.model.items)
        await pilot.press("enter")
        await shows(pilot, app, f"message {first} now")
        await until(pilot, app, lambda: len(app.model.items) == stored + 1, "the message to arrive")
        assert "PAUSED" in text(app)

    lab(meddle, first_put=False)


def test_heartbeats_are_shown_when_asked_for() -> None:
    async def ask(pilot: Pilot[None], app: LabApp) -> None:
        await shows(pilot, app, "5/5 up")
        # On a healthy link one is under way for 2 ms in 200, and hardly ever when the screen is drawn.
        await type_line(pilot, "slow n1 900ms")
        await pilot.press("4")
        await shows(pilot, app, "not shown")
        await pilot.press("i")
        await shows(pilot, app, "Gossip")
        await pilot.press("i")
        await until(pilot, app, lambda: "Gossip" not in text(app), "no heartbeat to be shown")

    lab(ask, driver=sim(7), first_put=False)


# -- load ----------------------------------------------------------------------------------------


def test_the_last_second_is_told_in_numbers_and_failures_are_marked_without_colour() -> None:
    seen = view(births(), loaded()[:300], tab="load", now_ms=4000.0)
    plain = drawn(seen, theme=Theme(colour=False))
    assert "75 ok  0 failed  25 unknown" in plain
    assert re.search(r"half in 3\.[567] ms, 99 % in 3\.[567] ms", plain)
    assert plain.count("✗") == 4
    assert drawn(seen, theme=Theme(ascii=True)).count("X") == 4


def test_the_plot_ends_with_the_last_quarter_of_a_second_that_is_over() -> None:
    one: list[AnyEvent] = [OpEnded(1000.0, NodeId("n1"), OpId("n1.0.1"), "get", KEY, "ok", 1.0)]

    def column(now_ms: float) -> int:
        rows = drawn(view(births(), one, tab="load", now_ms=now_ms)).splitlines()
        return next(row.index("█") for row in rows if row.startswith("     0 │"))

    assert column(1499.0) == column(1250.0) == 76
    assert column(1750.0) == 74


def test_the_cpu_and_the_memory_of_each_process_are_told_and_missed_in_the_simulator() -> None:
    wide = drawn(view(births(), loaded(), tab="load"))
    assert re.search(r"n4 +128 % +34 MB +[▁-█]+", wide)
    assert "n3  measured in a second" in wide
    assert "simulated nodes share one process" in drawn(view(births(), tab="load", simulated=True))


def test_rates_go_up_and_down_to_the_ends_of_their_scale() -> None:
    seen = view(births(), tab="load", load_rate=200)
    assert load_rate(seen, 1) == 500
    assert load_rate(seen, -1) == 100
    assert load_rate(seen, -99) == LOAD_RATES[0]
    assert load_rate(seen, 99) == LOAD_RATES[-1]


def test_a_scale_is_round_and_reaches_above_its_values() -> None:
    assert [scale(value) for value in (0, 0.7, 1, 3, 51, 1999, 2010)] == [1, 1, 1, 5, 100, 2000, 5000]
    assert spark([0, 1, 50, 100], 100, Theme()) == " ▁▄█"
    assert spark([0, 1, 50, 100], 100, Theme(ascii=True)) == " .=#"


def test_a_key_begins_a_load_changes_its_rate_and_ends_it() -> None:
    async def load(pilot: Pilot[None], app: LabApp) -> None:
        await shows(pilot, app, "5/5 up")
        await pilot.press("5", "down", "down")
        await shows(pilot, app, "l begins 50 operations a second")
        await pilot.press("l")
        await shows(pilot, app, "load 50/s for 30s", "A load is under way", "s left")
        await until(pilot, app, lambda: any(each.ok for each in app.view().quarters), "operations to end")
        await pilot.press("down")
        await until(pilot, app, lambda: app.view().loading == "load 20/s for 30s", "the other rate")
        await pilot.press("l")
        await until(pilot, app, lambda: not app.view().loading, "the load to end")
        lines = [getattr(entry, "line", "") for entry in app.model.log][-4:]
        assert lines == ["load 50/s for 30s", "load stop", "load 20/s for 30s", "load stop"]
        await type_line(pilot, "load 10/s for 100ms")
        await shows(pilot, app, "load 10/s for 100ms: 1 operations: 1 ok")

    lab(load, first_put=False)


def test_real_processes_are_measured() -> None:
    async def measure(pilot: Pilot[None], app: LabApp) -> None:
        await shows(pilot, app, "5/5 up")
        await pilot.press("5")
        await until(
            pilot, app, lambda: len(re.findall(r"n[1-5] +\d+ % +\d+ MB", text(app))) == 5, "five processes"
        )
        await pilot.press("4", "enter")
        await shows(pilot, app, "real messages are in nobody's hands")

    lab(measure, driver=LiveDriver(ProcessWorld(config())), first_put=False)


def test_five_thousand_operations_a_second_are_folded_and_seen_in_little_work() -> None:
    """A bound on allocations, not on time: what is kept does not grow with what is told."""
    told: list[AnyEvent] = [
        OpEnded(i / 5, NodeId("n1"), OpId(f"n1.0.{i}"), "get", KEY, "ok", 1 + i % 50) for i in range(20_000)
    ]
    told += [Used(i * 1000.0, NodeId("n1"), 5.0, 1) for i in range(500)]
    model = model_of(births(), told)
    assert len(model.ended.quarters()) == 16
    assert len(model.used[NodeId("n1")]) == 60


def test_the_last_messages_that_arrived_are_listed_newest_first_without_heartbeats() -> None:
    seen = on_messages()
    assert [(row.sender, row.to, row.kind) for row in seen.arrived[:2]] == [
        ("n2", "n1", "Kept"),
        ("n1", "n2", "Keep"),
    ]
    assert "n2  → n1  Kept: it is kept" in drawn(seen)
    beat: list[AnyEvent] = [Delivered(950.0, NodeId("n1"), "n2.0.8", NodeId("n2"), "Beat")]
    assert view(births(), put(), under_way(), beat).arrived == seen.arrived
    assert "ARRIVED LAST, without heartbeats\n none yet" in drawn(view(births(), tab="messages"))


def test_in_a_recording_nobody_is_told_to_write() -> None:
    seen = drawn(view(births(), tab="messages", simulated=True, moment=Moment(kind="replay", held=True)))
    assert "Nothing is under way at this moment: n steps on" in seen
    assert "w to write" not in seen


def test_a_message_dropped_by_hand_is_said_to_be() -> None:
    async def drop(pilot: Pilot[None], app: LabApp) -> None:
        await shows(pilot, app, "5/5 up")
        await pilot.press("space", "4")
        await pilot.press("w")
        await shows(pilot, app, "UNDER WAY 3", "Keep")
        await pilot.press("d")
        await shows(pilot, app, "was dropped by hand. It never arrives; nobody is told.", "UNDER WAY 2")

    lab(drop, first_put=False)


def test_a_load_that_finds_nobody_says_so() -> None:
    dead = view(
        births(1), loaded(), death("n1", 6000), stage=1, nodes=1, tab="load", loading="load 100/s for 30s"
    )
    assert "no node is up: clients find nobody to ask" in drawn(dead)
    assert "clients find nobody" not in drawn(
        view(births(1), loaded(), tab="load", loading="load", stage=1, nodes=1)
    )


@pytest.mark.parametrize(
    ("ms", "told"), [(0.032, "0.03 ms"), (0.4, "0.4 ms"), (1.84, "1.8 ms"), (1509.6, "1510 ms")]
)
def test_no_time_is_told_as_nothing(ms: float, told: str) -> None:
    assert short_ms(ms) == told
