"""Stage 9: what no read and no hint has mended, the trees find. The rest: services/test_anti_entropy.py."""

from __future__ import annotations

from typing import Any

import pytest

from kvlab.check.claims import UNDER_WAY_MS_MAX, Fault, held_to
from kvlab.config import ClusterConfig
from kvlab.messages import NodeId
from kvlab.trace.events import AnyEvent, Repaired
from kvlab.world.sim import SimWorld
from kvlab.world.world import World
from tests.stages.test_stages import live, ok, replicas_hold
from tests.worlds import WORLDS, run_in, until

QUICK: dict[str, Any] = {"antientropy_ms": 100, "gossip_ms": 50, "suspect_ms": 200, "fail_ms": 400}


async def agree(world: World, key: bytes, *values: bytes) -> bool:
    """Whether every home replica holds just this."""
    held = await replicas_hold(world, key)
    return len(held) == world.config.n and all(set(found) == set(values) for found in held.values())


@pytest.mark.parametrize("kind", WORLDS)
def test_a_node_restarted_empty_is_whole_again_without_a_client_reading_anything(kind: str) -> None:
    keys = [b"k%d" % i for i in range(60)]

    async def body(world: World) -> None:
        for key in keys:
            ok(await world.put(key, b"v-" + key))
        await world.delete(keys[0])
        before = await settled_keys(world, "n3")
        await world.kill("n3")
        await world.restart("n3", empty=True)

        async def whole() -> bool:
            return set(await world.keys("n3")) == before

        await until(world, whole, 30)
        for key in before:
            assert await world.peek("n3", key) == (b"v-" + key,)

    async def settled_keys(world: World, node: str) -> set[bytes]:
        """The keys that the node is a home replica of, once it has them."""
        home = {key for key in keys[1:] if node in await world.replicas(key)}
        await until(world, lambda: holds(world, node, home))
        return home

    async def holds(world: World, node: str, wanted: set[bytes]) -> bool:
        return set(await world.keys(node)) == wanted

    run_in(kind, ClusterConfig(**{"stage": 9, "timeout_ms": 400, **QUICK}), body)


def test_without_hints_and_without_reads_a_replica_that_was_cut_off_catches_up() -> None:
    """Pitfall: when the hint window is exceeded, only anti-entropy repairs."""

    async def body(world: SimWorld) -> None:
        away = (await world.replicas(b"k"))[2]
        others = [node for node in world.up() if node != away]
        await world.partition([[away], others])
        ok(await world.put(b"k", b"v", via=others[0]))
        await world.heal()
        await until(world, lambda: agree(world, b"k", b"v"))

    live(9, body, hints=False, **QUICK)


def test_concurrent_writes_on_two_sides_of_a_cut_are_siblings_everywhere_after_it() -> None:
    async def body(world: SimWorld) -> None:
        homes = await world.replicas(b"k")
        one_side = [homes[0], next(node for node in world.up() if node not in homes)]
        other_side = [node for node in world.up() if node not in one_side]
        await world.partition([one_side, other_side])
        await world.sleep(2)  # each side has found out who is left
        ok(await world.put(b"k", b"left", via=homes[0]))
        ok(await world.put(b"k", b"right", via=homes[1]))
        await world.heal()
        await until(world, lambda: agree(world, b"k", b"left", b"right"), 30)
        assert set(ok(await world.get(b"k"))) == {b"left", b"right"}

    live(9, body, **QUICK)


@pytest.mark.parametrize("w", [1, 2])
def test_what_one_replica_confirmed_is_forgotten_with_it_and_no_more_is_claimed(w: int) -> None:
    async def body(world: World) -> None:
        one, *others = await world.replicas(b"k")
        if w == 1:
            await world.partition([[one], [node for node in world.up() if node != one]])
        ok(await world.put(b"k", b"v", via=one))
        await world.sleep(0.05)  # all that it sent is lost
        await world.kill(one)
        await world.restart(one, empty=True)
        await world.heal()
        await world.sleep(5)
        assert ok(await world.get(b"k", via=others[0])) == (() if w == 1 else (b"v",))

    live(9, body, r=1, w=w, **QUICK)
    claims = held_to(ClusterConfig(stage=9, r=1, w=w), [Fault.PARTITION, Fault.AMNESIA])
    assert [claim.guarantee for claim in claims] == [
        *(["no-lost-writes", "no-resurrection", "all-siblings"] if w == 2 else []),
        *("convergence", "failed-is-failed"),
    ]


def test_when_all_agree_nothing_is_repaired_any_more() -> None:
    """Pitfall: an eternal difference, by a serialisation that is not canonical."""

    async def body(world: SimWorld) -> None:
        for i in range(40):
            ok(await world.put(b"k%d" % (i % 20), b"%d" % i, via=world.up()[i % 5]))  # siblings too
        await world.sleep(5)
        told: list[AnyEvent] = []
        world.watch(told.append)
        await world.sleep(20)
        assert [event for event in told if isinstance(event, Repaired)] == []

    live(9, body, **QUICK)


GRACE_MS = 3000


def test_a_tombstone_is_reaped_when_all_home_replicas_hold_it_and_the_value_stays_away() -> None:
    async def body(world: SimWorld) -> None:
        ok(await world.put(b"k", b"v"))
        ok(await world.delete(b"k"))
        assert tombstones(world) > 0
        await until(world, lambda: reaped(world), 30)
        assert ok(await world.get(b"k")) == ()
        ok(await world.put(b"k", b"again"))
        await until(world, lambda: agree(world, b"k", b"again"))

    live(9, body, hint_ttl_ms=1000, grace_ms=GRACE_MS, **QUICK)


def test_a_replica_that_was_away_for_longer_than_the_grace_does_not_bring_the_value_back() -> None:
    """Pitfall: resurrection. Nothing is reaped while a home replica is away."""

    async def body(world: SimWorld) -> None:
        ok(await world.put(b"k", b"v"))
        away = (await world.replicas(b"k"))[2]
        await until(world, lambda: agree(world, b"k", b"v"))
        await world.kill(away)
        ok(await world.delete(b"k", via=(await world.replicas(b"k"))[0]))
        await world.sleep(5 * GRACE_MS / 1000)
        assert tombstones(world) > 0
        await world.restart(away)  # with all that it held
        assert await world.peek(away, b"k") == (b"v",)
        await until(world, lambda: agree(world, b"k"))
        await until(world, lambda: reaped(world), 30)
        assert ok(await world.get(b"k")) == ()

    live(9, body, durable=True, hint_ttl_ms=1000, grace_ms=GRACE_MS, **QUICK)


@pytest.mark.parametrize("grace_ms", [GRACE_MS, 11_001])
def test_what_is_under_way_for_longer_than_the_grace_comes_back_and_nothing_else_is_claimed(
    grace_ms: int,
) -> None:
    """A bound that no store can do without: whoever forgets a tombstone must know what is still to come."""
    config: dict[str, Any] = {"hint_ttl_ms": 1000, "grace_ms": grace_ms, **QUICK}
    claims = held_to(ClusterConfig(stage=9, **config), [Fault.DELAY])
    claimed = "no-resurrection" in {claim.guarantee for claim in claims}

    async def body(world: SimWorld) -> None:
        first, _, late = await world.replicas(b"k")
        await world.slow(first, late, UNDER_WAY_MS_MAX)
        ok(await world.put(b"k", b"v", via=first))
        await world.slow(first, late, 0)  # the value is under way
        ok(await world.delete(b"k", via=first))
        await world.sleep(UNDER_WAY_MS_MAX / 1000 - 0.5)
        assert (await reaped(world)) is not claimed  # a grace of 3 s is over, and all homes have held it
        await world.sleep(1)
        assert ok(await world.get(b"k")) == (() if claimed else (b"v",))
        await until(world, lambda: reaped(world), 30)
        assert (await agree(world, b"k")) is claimed

    assert claimed is (grace_ms > GRACE_MS)
    live(9, body, **config)


def tombstones(world: SimWorld) -> int:
    return sum(world.host(node).node.store.tombstones for node in world.up())


async def reaped(world: SimWorld) -> bool:
    return tombstones(world) == 0


@pytest.mark.parametrize("seed", range(5))
def test_a_newcomer_has_its_keys_and_those_who_gave_them_up_are_in_nobodys_tree(seed: int) -> None:
    async def body(world: SimWorld) -> None:
        keys = [b"k%d" % i for i in range(40)]
        for key in keys:
            ok(await world.put(key, b"v"))
        await world.add("n6")
        await world.remove("n2")
        for key in keys:
            await until(world, lambda key=key: agree(world, key, b"v"))  # type: ignore[misc]
            assert NodeId("n2") not in await world.replicas(key)

    live(9, body, seed=seed, **QUICK)
