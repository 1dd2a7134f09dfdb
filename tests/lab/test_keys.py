"""The table of all keys in the data tab: who holds what of each, and how one is chosen."""

from __future__ import annotations

import msgspec
from textual.pilot import Pilot

from kvlab.lab.app import LabApp
from kvlab.lab.draw import data
from kvlab.lab.draw.theme import Theme
from kvlab.lab.keys import KeyRow, Standing
from kvlab.lab.view import View, key_rows, view_of
from kvlab.messages import NodeId
from kvlab.trace.events import AnyEvent, Hinted, Stored
from kvlab.trace.model import Model
from tests.lab.stories import (
    KEY,
    behind,
    births,
    conflict,
    copy_of,
    death,
    held,
    model_of,
    put,
    stood_in,
    written,
)
from tests.lab.test_lab import lab, shows, sim, type_line


def row(model: Model, key: bytes = KEY) -> KeyRow:
    return next(row for row in key_rows(model) if row.key == key)


def standings(model: Model, key: bytes = KEY) -> dict[str, Standing]:
    return {str(node): standing for node, standing in row(model, key).standings.items()}


def of(key: bytes, event: AnyEvent) -> AnyEvent:
    """The same told of another key."""
    assert isinstance(event, Stored)
    return msgspec.structs.replace(event, key=key)


def drawn(model: Model, size: tuple[int, int] = (80, 20), key: bytes | None = None) -> list[str]:
    seen: View = msgspec.structs.replace(view_of(model, chosen=key), keys=key_rows(model), tab="data")
    return data.draw(seen, size, Theme()).text()


def test_a_replica_holds_what_all_of_them_come_to_or_is_behind_or_has_nothing() -> None:
    at_five = model_of(births(), behind(), stage=5)
    assert standings(at_five) == {"n3": "holds", "n4": "holds", "n2": "behind"}
    at_six = model_of(births(), conflict()[1:], stage=6)
    assert standings(at_six) == {"n3": "holds", "n4": "holds", "n2": "lacks"}
    assert row(at_six).values == (b"milk", b"bread")
    assert row(at_six).amiss


def test_siblings_are_amiss_also_where_all_replicas_hold_them() -> None:
    both = copy_of(written("n3", 1, b"milk"), written("n4", 1, b"bread"), seen="n3:1 n4:1")
    everywhere = model_of(births(), [held(node, both, 400) for node in ("n2", "n3", "n4")], stage=6)
    assert set(standings(everywhere).values()) == {"holds"}
    assert any(line.strip() == "KEYS  1 key, 1 with siblings" for line in drawn(everywhere))
    assert row(everywhere).amiss


def test_what_else_was_seen_makes_no_replica_older() -> None:
    milk = written("n3", 1, b"milk")
    seen = [held("n3", copy_of(milk, seen="n3:1 n4:7"), 400), held("n4", copy_of(milk, seen="n3:1"), 401)]
    assert standings(model_of(births(), seen, stage=6))["n4"] == "holds"


def test_where_copies_bear_no_version_nobody_is_said_to_be_older() -> None:
    alike = model_of(births(), put(), stage=4)
    assert standings(alike) == {"n3": "holds", "n4": "holds", "n2": "holds"}
    other: list[AnyEvent] = [Stored(900, NodeId("n2"), KEY, b"tea", 1, 75)]
    apart = model_of(births(), put(), other, stage=4)
    assert standings(apart) == {"n3": "differs", "n4": "differs", "n2": "differs"}


def test_the_dead_are_not_said_to_lack_anything_and_their_hints_are_named() -> None:
    model = model_of(births(), stood_in(), stage=8)
    assert standings(model) == {"n3": "down", "n4": "holds", "n2": "holds", "n5": "hint"}


def test_who_holds_a_copy_without_being_a_home_is_marked() -> None:
    stranger: list[AnyEvent] = [Stored(900, NodeId("n5"), KEY, b"milk", 1, 75)]
    assert standings(model_of(births(), put(), stranger, stage=4))["n5"] == "spare"


def test_of_a_node_that_has_not_told_all_it_holds_it_is_not_known() -> None:
    """It came back with keys from its disk, of which it has not told one by one."""
    kept = [msgspec.structs.replace(event, kept_keys=9) for event in births()[5:]]
    model = model_of(births()[:5], list(kept), behind()[:2], stage=5)
    assert standings(model)["n2"] == "unknown"


def test_a_hint_alone_makes_a_key_known() -> None:
    hint: list[AnyEvent] = [Hinted(500, NodeId("n5"), NodeId("n3"), b"only", "kept", 1)]
    assert row(model_of(births(), death("n3", 400), hint, stage=8), b"only").values == ()


def test_keys_that_have_gone_apart_stand_first_and_the_others_by_number() -> None:
    milk = copy_of(written("n3", 1, b"milk"), seen="n3:1")
    plain = [
        of(b"key:%d" % i, held(node, milk, 400))
        for i in (10, 9, 8)
        for node in ("n1", "n2", "n3", "n4", "n5")
    ]
    lost = [of(b"z", held("n1", milk, 500))]
    keys = [row.key for row in key_rows(model_of(births(), plain, lost, stage=6))]
    assert keys == [b"z", b"key:8", b"key:9", b"key:10"]


def test_there_is_no_such_table_without_a_ring() -> None:
    assert key_rows(model_of(births(1), stage=1, nodes=1)) == ()
    assert key_rows(model_of(births(3), stage=2, nodes=3)) == ()


def test_each_standing_has_a_sign_of_its_own_and_only_those_there_are_explained() -> None:
    lines = drawn(model_of(births(), conflict(), stage=6))
    table = lines[
        next(
            i
            for i, line in enumerate(lines)
            if "KEYS  1 key, 1 with siblings, 1 not alike everywhere" in line
        ) :
    ]
    assert table[1].split() == ["KEY", "VALUE", "n1", "n2", "n3", "n4", "n5"]
    assert table[2].split() == ["▶", "cart:42", "milk", "and", "bread", "□", "■", "■"]
    assert table[3].split("   ")[1:] == ["■ as it should be", "□ an older copy"]


def test_the_chosen_key_is_always_on_the_screen() -> None:
    many = [
        of(b"key:%d" % i, held("n3", copy_of(written("n3", 1, b"x"), seen="n3:1"), 400)) for i in range(60)
    ]
    lines = drawn(model_of(births(), many, stage=6), key=b"key:57")
    assert any(line.startswith(" ▶ key:57") for line in lines)


def test_a_key_is_chosen_with_the_arrows_and_written_with_w() -> None:
    async def choose(pilot: Pilot[None], app: LabApp) -> None:
        await shows(pilot, app, "5/5 up")
        await type_line(pilot, "put a:1 one")
        await type_line(pilot, "put b:2 two")
        await shows(pilot, app, "b:2 = two is written")
        await pilot.press("3")
        await shows(pilot, app, "DATA  b:2", "▶ b:2")
        await pilot.press("up")
        await shows(pilot, app, "DATA  a:1", "▶ a:1")
        await pilot.press("up")
        await shows(pilot, app, "▶ a:1")
        await pilot.press("w")
        await shows(pilot, app, "a:1 = milk is written", "> put a:1 milk")
        await type_line(pilot, "get b:2")
        await shows(pilot, app, "DATA  b:2")

    lab(choose, sim(5), first_put=False)
