"""Who numbers writes: under no name is a dot given out twice, whatever was forgotten meanwhile."""

from __future__ import annotations

from typing import cast

from kvlab.core.clocks import written
from kvlab.env import Env
from kvlab.messages import NOTHING, Copy, Dot, Key, NodeId, Siblings
from kvlab.services.actors import Actors


class Disk:
    """As much of an Env as is needed: a name, a life, and tables that outlive a start."""

    me = NodeId("n1")
    life = 1

    def __init__(self) -> None:
        self.tables: dict[str, dict[bytes, bytes]] = {}
        self.told: list[tuple[Key, Copy | None, str]] = []

    def keep(self, table: str, key: bytes, data: bytes | None) -> None:
        assert data is not None
        self.tables.setdefault(table, {})[key] = data

    def kept(self, table: str) -> dict[bytes, bytes]:
        return self.tables.get(table, {})

    def changed(self, key: Key, copy: Copy | None, why: str) -> None:
        self.told.append((key, copy, why))


def write(actors: Actors, held: Siblings | None) -> tuple[Siblings, Dot]:
    context = NOTHING if held is None else held.context
    copy, _ = written(held, context, actors.next(b"k", held), b"v", 0)
    return copy, copy.siblings[-1].dot


def started(disk: Disk) -> Actors:
    return Actors(cast(Env, disk))


def test_a_node_counts_on_while_it_holds_what_it_wrote() -> None:
    actors = started(Disk())
    held, first = write(actors, None)
    held, second = write(actors, held)
    assert (first.actor, first.count, second.actor, second.count) == (first.actor, 1, first.actor, 2)


def test_what_was_lost_is_not_counted_on_from() -> None:
    actors = started(Disk())
    _, first = write(actors, None)
    _, second = write(actors, None)
    assert first.actor != second.actor


def test_an_old_copy_that_came_back_is_not_counted_on_from() -> None:
    """The tombstone was reaped here, and a replica that was away longer brought what it had."""
    disk = Disk()
    actors = started(disk)
    old, first = write(actors, None)
    _, second = write(actors, old)
    actors.changed(b"k", None, "reaped")
    assert disk.told == [(b"k", None, "reaped")]
    _, third = write(actors, old)
    assert len({first, second, third}) == 3


def test_a_copy_that_was_pruned_is_not_counted_on_from() -> None:
    actors = started(Disk())
    held, first = write(actors, None)
    _, second = write(actors, Siblings(NOTHING, ()))
    assert first != second
    assert held


def test_neither_a_restart_nor_a_lost_disk_makes_a_name_used_twice() -> None:
    disk = Disk()
    _, first = write(started(disk), None)
    _, second = write(started(disk), None)
    disk.tables.clear()
    disk.life = 3
    _, third = write(started(disk), None)
    assert len({first.actor, second.actor, third.actor}) == 3


def test_of_keys_no_longer_held_nothing_is_remembered() -> None:
    actors = started(Disk())
    write(actors, None)
    actors.changed(b"k", None, "moved")
    assert not actors.last
