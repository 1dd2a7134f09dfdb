"""One behaviour suite over all stages, in the simulator.

A claim that a stage does not hold is skipped there by name: `LACKING` says why, and which stage mends it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from kvlab.config import ClusterConfig
from kvlab.errors import Outcome
from kvlab.messages import NodeId
from kvlab.stages import STAGES, Stage
from kvlab.world.control import Result
from kvlab.world.sim import SimWorld
from kvlab.world.world import World
from tests.worlds import until

ONE_COPY = "each key has one copy; stage 4 mends it"
NO_BUDGET = "what one replica evicts a repair would bring back; stages 1, 3 and 4 have the budget"
STOPPED = {
    1: "there is one node; stage 8 mends it",
    2: "cp: a write needs all nodes; stage 8 mends it",
    3: "each key has one owner; stage 8 mends it",
    4: "a write waits for all n replicas; stage 8 mends it",
    5: "w home replicas must be up; stage 8 mends it",
    6: "w home replicas must be up; stage 8 mends it",
    7: "w home replicas must be up; stage 8 mends it",
}
LACKING = {
    ("a byte budget evicts", 2): NO_BUDGET,
    ("a byte budget evicts", 5): NO_BUDGET,
    ("a byte budget evicts", 6): NO_BUDGET,
    ("a byte budget evicts", 7): NO_BUDGET,
    ("a byte budget evicts", 8): NO_BUDGET,
    ("a byte budget evicts", 9): NO_BUDGET,
    ("any node coordinates", 1): "there is one node; stage 3 mends it",
    ("the loss of a node loses no key", 1): "it dies with its data; stage 4 mends it",
    ("the loss of a node loses no key", 3): ONE_COPY,
    ("the loss of a zone loses no key", 1): "it dies with its data; stage 4 mends it",
    ("the loss of a zone loses no key", 3): ONE_COPY,
    ("a write goes on while a replica is away", 1): "there is one node; stage 5 mends it",
    ("a write goes on while a replica is away", 2): "cp: a write needs all nodes; stage 5 mends it",
    ("a write goes on while a replica is away", 3): "each key has one owner; stage 5 mends it",
    ("a write goes on while a replica is away", 4): "a write waits for all n replicas; stage 5 mends it",
    **{("a write goes on with one replica left", number): why for number, why in STOPPED.items()},
    ("replicas agree after concurrent writes", 4): (
        "nothing orders two writes: each replica keeps what reached it last; stage 5 mends it"
    ),
}

every_stage = pytest.mark.parametrize("stage", STAGES, ids=lambda stage: f"{stage.number}-{stage.name}")


def claim(name: str, stage: Stage) -> None:
    """Skip unless this stage claims it."""
    if (name, stage.number) in LACKING:
        pytest.skip(f"{stage.title}, does not hold that {name}: {LACKING[name, stage.number]}")


def live(stage: Stage | int, body: Callable[[SimWorld], Awaitable[None]], **config: Any) -> None:
    number = stage if isinstance(stage, int) else stage.number
    world = SimWorld(ClusterConfig(**{"stage": number, "timeout_ms": 100, **config}))

    async def lived() -> None:
        async with world:
            await body(world)

    world.run(lived())


async def settled(world: World) -> None:
    """Let arrive what is on its way: a quorum does not wait for the last replica."""
    await world.sleep(world.config.timeout_ms / 1000)


async def agree(world: World, key: bytes, *values: bytes) -> None:
    """Within a time-out all the key's replicas hold the same, and these values if any are given: a quorum
    does not wait for the last replica."""

    async def all_hold_them() -> bool:
        held = {frozenset(found) for found in (await replicas_hold(world, key)).values()}
        return len(held) == 1 and (not values or held == {frozenset(values)})

    await until(world, all_hold_them, limit_s=world.config.timeout_ms / 1000)


async def replicas_hold(world: World, key: bytes) -> dict[NodeId, tuple[bytes, ...]]:
    """What each of the key's replicas that is up holds."""
    return {node: await world.peek(node, key) for node in await world.replicas(key) if node in world.up()}


def ok(result: Result) -> tuple[bytes, ...]:
    assert result.outcome is Outcome.OK, result
    return result.values


async def put_seen(world: World, key: bytes, value: bytes, via: NodeId) -> Result:
    """A write by somebody who has read the key: from stage 6 on, another's is a sibling."""
    return await world.put(key, value, via=via, context=(await world.get(key, via=via)).context)


# -- what every stage does -----------------------------------------------------------------------


@every_stage
def test_a_key_is_missing_until_it_is_written_and_again_once_it_is_deleted(stage: Stage) -> None:
    async def body(world: SimWorld) -> None:
        assert ok(await world.get(b"k")) == ()
        ok(await world.delete(b"k"))  # what is not there is easily deleted
        ok(await world.put(b"k", b"v"))
        assert ok(await world.get(b"k")) == (b"v",)
        ok(await world.delete(b"k"))
        assert ok(await world.get(b"k")) == ()

        async def nobody_holds_it() -> bool:
            return not any([(await world.count(node)).keys for node in world.up()])

        await until(world, nobody_holds_it)

    live(stage, body)


@every_stage
def test_a_later_write_replaces_an_earlier_one(stage: Stage) -> None:
    async def body(world: SimWorld) -> None:
        for i in range(20):
            ok(await put_seen(world, b"k", b"%d" % i, world.up()[i % len(world.up())]))
            assert ok(await world.get(b"k")) == (b"%d" % i,)
        await agree(world, b"k", b"19")

    live(stage, body)


@every_stage
def test_any_bytes_are_a_key_and_a_value(stage: Stage) -> None:
    async def body(world: SimWorld) -> None:
        for data in (b"", b"\x00\xff\r\n", "мляко".encode(), b"x" * 10_000):
            ok(await world.put(data, data))
            assert ok(await world.get(data)) == (data,)

    live(stage, body)


@every_stage
def test_a_key_with_a_time_to_live_is_gone_when_that_is_over(stage: Stage) -> None:
    async def body(world: SimWorld) -> None:
        ok(await world.put(b"k", b"v", expires_ms=world.now_ms() + 1000))
        ok(await world.put(b"kept", b"v", expires_ms=world.now_ms() + 1000))
        ok(await world.put(b"kept", b"v"))  # a plain write takes the time to live away
        await world.sleep(0.9)
        assert ok(await world.get(b"k")) == (b"v",)
        await world.sleep(0.2)
        assert ok(await world.get(b"k")) == ()
        assert ok(await world.get(b"kept")) == (b"v",)
        for node in world.up():  # collected, though nobody asked for it
            assert b"k" not in await world.keys(node)

    live(stage, body)


@every_stage
def test_a_node_keeps_its_byte_budget_and_forgets_what_was_not_used_for_longest(stage: Stage) -> None:
    claim("a byte budget evicts", stage)

    async def body(world: SimWorld) -> None:
        ok(await world.put(b"hot", b"v" * 100))
        for i in range(300):
            ok(await world.put(b"k%d" % i, b"v" * 100))
            assert ok(await world.get(b"hot")) == (b"v" * 100,)
        for node in world.up():
            assert 0 < (await world.count(node)).held_bytes <= 4096
        assert ok(await world.get(b"k0")) == ()
        assert ok(await world.get(b"k299")) == (b"v" * 100,)

    live(stage, body, memory_bytes=4096)


@every_stage
def test_a_value_above_the_budget_is_refused_and_changes_nothing(stage: Stage) -> None:
    claim("a byte budget evicts", stage)

    async def body(world: SimWorld) -> None:
        ok(await world.put(b"k", b"small"))
        for via in [node for node in world.up() if node not in await world.replicas(b"k")] or world.up():
            result = await world.put(b"k", b"v" * 5000, via=via)
            assert result.outcome is Outcome.FAILED, result
        assert set((await replicas_hold(world, b"k")).values()) == {(b"small",)}

    live(stage, body, memory_bytes=4096)


@pytest.mark.parametrize("stage", [3, 4])
def test_a_replica_that_coordinates_refuses_a_value_above_its_budget_as_any_replica_does(stage: int) -> None:
    async def body(world: SimWorld) -> None:
        for via in await world.replicas(b"k"):
            assert (await world.put(b"k", b"v" * 5000, via=via)).outcome is Outcome.FAILED

    live(stage, body, memory_bytes=4096)


@every_stage
def test_any_node_coordinates(stage: Stage) -> None:
    claim("any node coordinates", stage)

    async def body(world: SimWorld) -> None:
        for writer in world.up():
            ok(await put_seen(world, b"k", writer.encode(), writer))
            for reader in world.up():
                assert ok(await world.get(b"k", via=reader)) == (writer.encode(),)
        ok(await world.delete(b"k", via="n1"))
        assert ok(await world.get(b"k", via=world.up()[-1])) == ()

    live(stage, body)


# -- what is lost with a node, and with a zone ---------------------------------------------------


async def loses(world: SimWorld, dead: list[NodeId]) -> list[bytes]:
    """Write keys, kill the nodes, restart them where nobody else is left; the keys that are gone."""
    keys = [b"k%d" % i for i in range(40)]
    for key in keys:
        ok(await world.put(key, b"v"))
    for node in dead:
        await world.kill(node)
    for node in dead if not world.up() or not world.stage.replicated else ():
        await world.restart(node)
    r = 1 if world.stage.quorum else None  # whether it is there, not whether a quorum is

    async def gone(key: bytes) -> bool:
        """The one replica that is read may be the one that a quorum did not wait for: then soon."""
        for _ in range(20):
            if ok(await world.get(key, r=r)) == (b"v",):
                return False
            await world.sleep(0.05)
        return True

    return [key for key in keys if await gone(key)]


@every_stage
def test_the_loss_of_a_node_loses_no_key(stage: Stage) -> None:
    claim("the loss of a node loses no key", stage)

    async def body(world: SimWorld) -> None:
        assert await loses(world, [NodeId("n2")]) == []

    live(stage, body)


@every_stage
def test_the_loss_of_a_zone_loses_no_key(stage: Stage) -> None:
    claim("the loss of a zone loses no key", stage)

    async def body(world: SimWorld) -> None:
        assert await loses(world, [node for node in world.up() if world.info(node).member.zone == "z2"]) == []

    live(stage, body, nodes=6, zones=2, n=2)


@pytest.mark.parametrize("stage", [1, 3])
def test_with_one_copy_a_dead_node_takes_its_keys_with_it_and_no_others(stage: int) -> None:
    async def body(world: SimWorld) -> None:
        owned = [b"k%d" % i for i in range(40)]
        owned = [key for key in owned if (await world.replicas(key))[0] == "n1"]
        assert owned
        assert await loses(world, [NodeId("n1")]) == owned

    live(stage, body)


def test_the_keys_of_a_silent_owner_cannot_be_reached_and_the_others_can() -> None:
    """Stage 3: unknown, for the owner may have done it; and so it has, when it wakes."""

    async def body(world: SimWorld) -> None:
        for i in range(20):
            key = b"k%d" % i
            owner = (await world.replicas(key))[0]
            await world.pause(owner)
            via = next(node for node in world.up())
            assert (await world.put(key, b"v", via=via)).outcome is Outcome.UNKNOWN
            await world.resume(owner)
            await world.sleep(0.01)
            assert await world.peek(owner, key) == (b"v",)

    live(3, body)


# -- stage 4: all or one -------------------------------------------------------------------------


@every_stage
def test_a_write_goes_on_while_a_replica_is_away(stage: Stage) -> None:
    claim("a write goes on while a replica is away", stage)

    async def body(world: SimWorld) -> None:
        replicas = await world.replicas(b"k")
        await world.kill(replicas[-1])
        ok(await world.put(b"k", b"v"))

    live(stage, body)


@every_stage
def test_a_write_goes_on_with_one_replica_left(stage: Stage) -> None:
    claim("a write goes on with one replica left", stage)

    async def body(world: SimWorld) -> None:
        replicas = await world.replicas(b"k")
        for replica in replicas[1:]:
            await world.kill(replica)
        ok(await world.put(b"k", b"v", via=replicas[0]))

    live(stage, body)


def test_stage_4_that_waits_for_all_stops_at_one_dead_replica_and_says_unknown() -> None:
    async def body(world: SimWorld) -> None:
        replicas = await world.replicas(b"k")
        await world.kill(replicas[-1])
        via = next(node for node in world.up())
        result = await world.put(b"k", b"v", via=via)
        assert (result.outcome, result.error) == (Outcome.UNKNOWN, "ReplicasMissing")
        assert f"silent: {replicas[-1]}" in result.text
        assert set((await replicas_hold(world, b"k")).values()) == {(b"v",)}  # the others have it
        assert ok(await world.get(b"k", via=via)) == (b"v",)

    live(4, body)


def test_stage_4_that_trusts_one_loses_an_acknowledged_write_with_the_node_that_had_it() -> None:
    """The weakness that the header of stage 4 states: w=1 is a promise of one machine."""

    async def body(world: SimWorld) -> None:
        replicas = await world.replicas(b"k")
        one, rest = replicas[0], [node for node in world.up() if node != replicas[0]]
        await world.partition([[one], rest])
        assert (await world.put(b"k", b"v", via=one, w=1)).outcome is Outcome.OK
        await world.sleep(0.1)  # what it sent to the others is lost in the cut
        await world.kill(one)
        await world.heal()
        assert ok(await world.get(b"k", via=rest[0])) == ()

    live(4, body)


def test_two_concurrent_writers_may_leave_the_replicas_different() -> None:
    """Stage 4, on a healthy network: some seed shows it, and which copy is read is then a matter of luck."""
    different = []
    for seed in range(20):

        async def body(world: SimWorld, seed: int = seed) -> None:
            both = await asyncio.gather(*(world.put(b"k", via.encode(), via=via) for via in ("n1", "n2")))
            assert [result.outcome for result in both] == [Outcome.OK, Outcome.OK]
            if len(set((await replicas_hold(world, b"k")).values())) > 1:
                different.append(seed)

        live(4, body, seed=seed)
    assert different
    assert len(different) < 20


@every_stage
def test_replicas_agree_after_writes_that_were_not_concurrent(stage: Stage) -> None:
    async def body(world: SimWorld) -> None:
        for i in range(30):
            ok(await world.put(b"k%d" % (i % 5), b"%d" % i, via=world.up()[i % len(world.up())]))
        for i in range(5):
            await agree(world, b"k%d" % i)

    live(stage, body)


@every_stage
def test_replicas_agree_after_concurrent_writes(stage: Stage) -> None:
    claim("replicas agree after concurrent writes", stage)

    async def body(world: SimWorld) -> None:
        await asyncio.gather(*(world.put(b"k", via.encode(), via=via) for via in world.up()))
        await agree(world, b"k")

    for seed in range(10):
        live(stage, body, seed=seed)


# -- outcomes say no more than is true -----------------------------------------------------------


@every_stage
@pytest.mark.parametrize("seed", range(6))
def test_an_outcome_is_true_of_what_the_replicas_hold(stage: Stage, seed: int) -> None:
    """ok: as many hold it as had to confirm it. failed: none does, nor will. unknown: anything may be."""

    async def body(world: SimWorld) -> None:
        seen: set[Outcome] = set()
        replicas = await world.replicas(b"k")
        for i in range(60):
            key = b"k%d" % i
            replicas = await world.replicas(key)
            large = i % 10 == 9 and not stage.versioned  # too large to be stored
            stranger = next((node for node in world.up() if node not in replicas), "n1")
            via = NodeId(stranger) if large else world.up()[i % len(world.up())]
            others = [node for node in world.up() if node != via]
            if others and i % 3 == 0:
                await world.partition([[via], others])
            elif others and i % 3 == 1:
                await world.lose(via, None, 0.4)
            value = b"v" * (5000 if large else 5)
            result = await world.put(key, value, via=via)
            if others:
                await world.heal()
                await world.sleep(0.5)
            held = list((await replicas_hold(world, key)).values())
            seen.add(result.outcome)
            if result.outcome is Outcome.OK:
                assert held.count((value,)) >= (world.config.w or len(replicas)), result
            elif result.outcome is Outcome.FAILED:
                assert held == [()] * len(replicas), result
        assert Outcome.OK in seen
        assert (Outcome.FAILED in seen) or stage.versioned
        assert (Outcome.UNKNOWN in seen) == (len(world.up()) > 1)

    live(stage, body, seed=seed, memory_bytes=None if stage.versioned else 4096)


def test_what_a_dead_coordinator_was_asked_has_failed_and_what_it_had_begun_is_unknown() -> None:
    async def body(world: SimWorld) -> None:
        await world.pause("n1")
        putting = asyncio.ensure_future(world.put(b"k", b"v", via="n1"))
        await world.sleep(0.01)
        await world.kill("n1")
        assert (await putting).outcome is Outcome.UNKNOWN
        assert (await world.put(b"k", b"v", via="n1")).outcome is Outcome.FAILED

    for stage in STAGES:
        live(stage, body)


def test_every_entry_of_what_is_lacking_names_a_stage_and_a_claim() -> None:
    """No skip outlives its reason: the claims are those of the tests above."""
    claims = {
        "any node coordinates",
        "the loss of a node loses no key",
        "the loss of a zone loses no key",
        "a write goes on while a replica is away",
        "a write goes on with one replica left",
        "replicas agree after concurrent writes",
        "a byte budget evicts",
    }
    assert {name for name, _ in LACKING} == claims
    assert {number for _, number in LACKING} <= {stage.number for stage in STAGES}
