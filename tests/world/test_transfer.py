"""The ring changes while clients work and things fail: fuzzed by seed, and step by step.

A `Story` is one seed's run: a few changes of the ring, each with one fault at a random moment of it, under
clients that write, read and delete. Afterwards everything is mended, and judged. To see one again:

    python -m tests.world.test_transfer 3 17          stage 3, seed 17; or a range: 3 0..200
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable
from random import Random
from typing import Any, TypeAlias, get_args, get_origin

import pytest

from kvlab.check.history import Judgement, Operation, Verdict
from kvlab.check.linear import linearizable
from kvlab.check.writes import no_lost_writes, no_resurrection
from kvlab.config import ClusterConfig
from kvlab.core.placement import Placement
from kvlab.core.ring import Ring, left
from kvlab.errors import Busy, NoAnswer, NodeDown, Outcome, RingChangeFailed
from kvlab.messages import (
    Abort,
    Fetch,
    Freeze,
    Frozen,
    Give,
    Giving,
    Install,
    Installed,
    Member,
    Message,
    NodeId,
    Prepare,
    Prepared,
    Promise,
    ReplicaReply,
    ReplicaRequest,
    RingIs,
    RingSpec,
    Take,
    Took,
    decode,
)
from kvlab.services.transfer import Seats, Transfer
from kvlab.world.sim import SimWorld
from kvlab.world.sim.network import Life
from kvlab.world.world import NodeState

KEYS = [b"k%d" % i for i in range(12)]
CLIENTS = 3
FAULTS = (
    *("none", "slow", "lose", "partition", "cut off member", "pause member", "kill member"),
    *("cut off driver", "cut off driver", "cut off driver", "pause driver", "pause driver", "kill driver"),
)
MOMENTS = (
    *(Prepare, Prepared, Give, Giving, Take, Took, Freeze, Frozen, Frozen),
    *(Install, Install, Install, Installed, Installed, Installed),  # where the danger is
)
OF_CLIENTS = tuple(get_origin(kind) or kind for kind in get_args(ReplicaRequest) + get_args(ReplicaReply))
CHANGE_FAILED = (RingChangeFailed, NoAnswer, NodeDown)


def transfer_of(world: SimWorld, node: str) -> Transfer[Any]:
    transfer = getattr(world.host(node).node, "transfer")  # noqa: B009  # stage 1 has none
    assert isinstance(transfer, Transfer)
    return transfer


class Story:
    """One seed's run, and what must be true of it."""

    def __init__(self, stage: int, seed: int) -> None:
        self.random = random = Random(f"{stage}/{seed}")
        nodes = random.randint(3, 6)
        n = random.randint(2, 3) if stage == 4 else 1
        self.world = SimWorld(
            ClusterConfig(
                stage=stage, seed=seed, nodes=nodes, n=n, zones=random.randint(1, 2), timeout_ms=100
            )
        )
        self.deletes = random.random() < 0.5  # without them, a register can be judged whole
        self.wild = random.random() < 0.5  # the network doubles and delays the messages of the change
        self.forgot = False  # a node died, and its memory with it
        self.log: list[str] = [f"{nodes} nodes, n={n}, wild={self.wild}"]
        self.history: list[Operation] = []
        self._awaited: tuple[type, int] | None = None  # when the fault strikes: at so manyeth such message
        self._moment = asyncio.Event()
        self._stop = False
        self._changing = False
        self._values = 0
        self._used = {str(member.node) for member in self.world.config.members()}

    def run(self) -> None:
        meddle(self.world, self._fate)
        self.world.run(self._main())

    def _fate(self, sender: NodeId, to: NodeId, message: Message) -> list[float]:
        """Of the messages of a change, let some arrive twice, and some much later, if the network is wild.

        Those of clients are left alone: that a doubled `Keep` brings an old value back is a weakness the
        stages own up to, and no news.
        """
        if isinstance(message, OF_CLIENTS):
            return [0.0]
        if self._awaited is not None and isinstance(message, self._awaited[0]):
            kind, left = self._awaited
            self._awaited = (kind, left - 1) if left > 1 else None
            if self._awaited is None:
                self._moment.set()
                return self.random.choice([[], [0.0]])
        if not self.wild or self.random.random() < 0.85:
            return [0.0]
        late = self.random.choice([0.01, 0.03, 0.3, 2.0])
        return self.random.choice([[0.0, late], [0.0, late], [late]])

    def say(self, text: str) -> None:
        self.log.append(f"{self.world.at_ms():8.1f}  {text}")

    async def _main(self) -> None:
        async with self.world:
            clients = [asyncio.ensure_future(self._client(number)) for number in range(CLIENTS)]
            for _ in range(self.random.randint(1, 3)):
                await self._change_under_fault()
                await self.world.sleep(self.random.choice([0, 0.05, 1.0]))
            await self._mend()
            self._stop = True
            await asyncio.gather(*clients)
            await self._settled()
            await self._judge()
            await self._goes_on()

    # -- what happens ----------------------------------------------------------------------------

    async def _client(self, number: int) -> None:
        """Writes its own keys, so that no two writes to a key are concurrent, and reads all."""
        own = KEYS[number::CLIENTS]
        while not self._stop:
            if up := self.world.up():
                via, kind = self.random.choice(up), self.random.random()
                if kind < 0.5:
                    await self._operate("put", self.random.choice(own), via)
                elif kind < 0.6 and self.deletes:
                    await self._operate("delete", self.random.choice(own), via)
                else:
                    await self._operate("get", self.random.choice(KEYS), via)
            await self.world.sleep(self.random.uniform(0, 0.008 if self._changing else 0.3))

    async def _operate(self, kind: str, key: bytes, via: NodeId) -> Operation:
        start = self.world.at_ms()
        value: bytes | None = None
        if kind == "put":
            self._values += 1
            value = b"%d" % self._values
            result = await self.world.put(key, value, via=via)
        elif kind == "get":
            result = await self.world.get(key, via=via)
        else:
            result = await self.world.delete(key, via=via)
        operation = Operation(kind, key, via, start, self.world.at_ms(), result.outcome, value, result.values)
        self.history.append(operation)
        return operation

    async def _change_under_fault(self) -> None:
        changes = [self._begin()]
        if self.random.random() < 0.3:
            changes.append(self._begin())
        driver, _ = changes[0]
        self._changing = True
        self._moment.clear()
        self._awaited = (self.random.choice(MOMENTS), self.random.choice([1, 1, 1, 2, 3]))
        running = [asyncio.ensure_future(self._change(driver, adds)) for driver, adds in changes]
        fault = asyncio.ensure_future(self._fault(self.random.choice(FAULTS), driver))
        await asyncio.gather(*running)
        self._moment.set()
        await fault
        self._changing = False

    def _begin(self) -> tuple[str, bool]:
        """Who shall join, or leave: (its name, whether it joins)."""
        world = self.world
        names = [name for name in world.up() if name in {m.node for m in world.ring.members}]
        if self.random.random() < 0.5 and len(names) > world.config.n + 1:
            return self.random.choice(names), False
        free = [f"n{i}" for i in range(1, 100) if f"n{i}" not in self._used]
        node = self.random.choice(free[:3])
        self._used.add(node)
        return node, True

    async def _change(self, node: str, adds: bool) -> None:
        try:
            await (self.world.add(node) if adds else self.world.remove(node))
            self.say(f"{'add' if adds else 'remove'} {node}: done")
        except CHANGE_FAILED as error:
            self.say(f"{'add' if adds else 'remove'} {node}: {error}")

    async def _fault(self, fault: str, driver: str) -> None:
        """At a random moment of the change, let something fail, and after a while be well again."""
        world, random = self.world, self.random
        moment = self._awaited
        await self._moment.wait()
        if self._awaited is not None or moment is None:
            return  # the change was over before
        members = [node for node in world.up() if node != driver]
        victim = driver if "driver" in fault else random.choice(members)
        length_s = random.choice([0.05, 0.8, 0.8, 3.0])
        if victim not in world.up():
            return
        self.say(f"{fault} ({victim}, {length_s} s) at {moment[0].__name__} {moment[1]}")
        if fault.startswith("pause"):
            await world.pause(victim)
            await world.sleep(length_s)
            if world.nodes[NodeId(victim)].state is NodeState.PAUSED:
                await world.resume(victim)
        elif fault.startswith("kill"):
            if self.forgot:
                return  # one copy lost is what a stage may claim to survive
            self.forgot = True
            await world.kill(victim)
            await world.sleep(length_s)
            if random.random() < 0.5 and world.nodes[NodeId(victim)].state is NodeState.DOWN:
                await world.restart(victim)
        elif fault.startswith(("partition", "cut")):
            sides = {
                node: random.random() < 0.5 if fault == "partition" else node == victim
                for node in world.members()
            }
            groups = [[node for node in sides if sides[node] is side] for side in (True, False)]
            if all(groups):
                await world.partition(groups)
                await world.sleep(length_s)
                await world.heal()
        elif fault == "slow":
            await world.slow(victim, None, 60, 60)
            await world.sleep(length_s)
            await world.heal()
        elif fault == "lose":
            await world.lose(victim, None, 0.4)
            await world.sleep(length_s)
            await world.heal()

    # -- afterwards ------------------------------------------------------------------------------

    def _ring_members(self) -> set[NodeId]:
        newest = max((transfer_of(self.world, node).ring for node in self.world.up()), key=lambda r: r.epoch)
        return {member.node for member in newest.members}

    async def _mend(self) -> None:
        """Make everything well. Who is down is struck off, or comes back; whom the world gave up for
        lost while the others took it in, is started again."""
        world = self.world
        await world.heal()
        for node in list(world.members()):
            if world.nodes[node].state is NodeState.PAUSED:
                await world.resume(node)
        for node in list(world.members()):
            if world.nodes[node].state is NodeState.DOWN:
                if world.stage.replicated and self.random.random() < 0.5:
                    await self._change(node, adds=False)
                if world.nodes[node].state is NodeState.DOWN:
                    await world.restart(node)
                    self.say(f"restart {node}")
        await world.sleep(6)  # every silence has been noticed by then
        for node in self._ring_members() - set(world.members()):
            self.say(f"{node} is in the ring, and not in the world")
            await world.add(node)

    async def _settled(self) -> None:
        """A few operations, and everybody works by one ring, and waits for nothing."""
        world = self.world
        for via in world.up():
            for key in KEYS:
                await self._operate("get", key, via)
        for _ in range(200):
            transfers = [transfer_of(world, node) for node in world.up()]
            if all(t.change is None and t.driving is None for t in transfers):
                break
            await world.sleep(0.05)
        assert {t.ring.epoch for t in transfers} == {max(t.ring.epoch for t in transfers)}
        for t in transfers:
            assert t.change is None, f"{t.env.me} still holds {t.change.id}"
            assert t.driving is None, f"{t.env.me} still drives"
            assert t._settled.is_set(), f"{t.env.me} holds operations back"

    async def _judge(self) -> None:
        world = self.world
        ring = self._ring_members()
        copies: dict[bytes, dict[NodeId, tuple[bytes, ...]]] = {}
        for key in KEYS:
            replicas = await world.replicas(key)
            assert set(replicas) <= ring
            copies[key] = {node: await world.peek(node, key) for node in replicas}
        for node in world.up():
            for key in await world.keys(node):
                assert node in copies[key], f"{node} holds a stray copy of {key!r}"
        unknown = {op.key for op in self.history if op.is_write and op.outcome is Outcome.UNKNOWN}
        final: dict[bytes, Operation] = {}
        for key in KEYS:
            if not self.forgot:
                final[key] = await self._operate("get", key, self.random.choice(world.up()))
                assert final[key].outcome is Outcome.OK
                if key not in unknown:
                    assert len(set(copies[key].values())) == 1, f"{key!r}: {copies[key]}"
            elif found := [value for held in copies[key].values() for value in held]:
                final[key] = Operation("get", key, "", world.at_ms(), world.at_ms(), found=tuple(found))
            elif world.stage.replicated:
                final[key] = Operation("get", key, "", world.at_ms(), world.at_ms(), found=())
        legal(no_lost_writes([op for op in self.history if op.key in final], final))
        legal(no_resurrection(self.history))
        if not (world.stage.replicated or self.forgot or self.deletes):
            legal(linearizable(self.history))

    async def _goes_on(self) -> None:
        """The next change finds nothing in its way."""
        world = self.world
        await world.add("n100")
        for key in KEYS:
            for via in world.up():
                assert (await self._operate("put", key, via)).outcome is Outcome.OK


def legal(judgement: Judgement) -> None:
    witness = "\n".join(map(str, judgement.witness))
    assert judgement.verdict is not Verdict.ILLEGAL, f"{judgement.claim}: {judgement.sentence}\n{witness}"


Dropped: TypeAlias = Callable[[str], None] | None
Fate: TypeAlias = Callable[[NodeId, NodeId, Message], list[float]]
"""(from, to, message): after how many seconds more copies of it arrive; [] if it is lost."""


def meddle(world: SimWorld, fate: Fate) -> None:
    """From now on, let `fate` decide what becomes of each message, whatever the faults are."""
    deliver = world._network.deliver

    def meddled(
        sender: NodeId, generation: int, to: NodeId, data: bytes, dropped: Dropped, life: Life | None
    ) -> None:
        for delay_s in fate(sender, to, decode(data).body):
            if delay_s:
                world.loop.call_later(delay_s, deliver, sender, generation, to, data, dropped, life)
            else:
                deliver(sender, generation, to, data, dropped, life)

    world._network.deliver = meddled  # type: ignore[method-assign]


def tell(stage: int, seed: int) -> None:
    """Run one story; what goes wrong is raised with the story so far and the way to see it again."""
    story = Story(stage, seed)
    try:
        story.run()
    except Exception as error:
        told = "\n".join(story.log)
        raise AssertionError(
            f"{type(error).__name__}: {error}\n{told}\n"
            f"again: python -m tests.world.test_transfer {stage} {seed}"
        ) from error


@pytest.mark.parametrize("seeds", [range(0, 5), range(5, 10)], ids=str)
@pytest.mark.parametrize("stage", [3, 4])
def test_no_fault_during_a_change_of_the_ring_loses_a_write_or_leaves_anything_stuck(
    stage: int, seeds: range
) -> None:
    for seed in seeds:
        tell(stage, seed)


# -- one step at a time: what a seed would have to be lucky to meet -----------------------------------------


def sim(stage: int, body: Callable[[SimWorld], Awaitable[None]], **config: Any) -> None:
    world = SimWorld(ClusterConfig(**{"stage": stage, "timeout_ms": 100, **config}))

    async def lived() -> None:
        async with world:
            await body(world)

    world.run(lived())


async def filled(world: SimWorld) -> dict[bytes, bytes]:
    values = {b"f%d" % i: b"%d" % i for i in range(60)}
    for key, value in values.items():
        assert (await world.put(key, value)).outcome is Outcome.OK
    return values


async def all_there(world: SimWorld, values: dict[bytes, bytes]) -> None:
    """Through every node, and on every replica."""
    for key, value in values.items():
        for via in world.up():
            assert (await world.get(key, via=via)).values == (value,), (key, via)
        for replica in await world.replicas(key):
            assert await world.peek(replica, key) == (value,), (key, replica)


def losing(kind: type, count: int) -> Fate:
    """Lose the first so many messages of this type."""
    lost = 0

    def fate(sender: NodeId, to: NodeId, message: Message) -> list[float]:
        nonlocal lost
        if isinstance(message, kind) and lost < count:
            lost += 1
            return []
        return [0.0]

    return fate


@pytest.mark.parametrize("stage", [3, 4])
def test_a_driver_that_hears_no_confirmation_of_the_new_ring_does_not_call_it_off(stage: int) -> None:
    """Whoever is silent may have installed it: by then it is too late for a way back."""

    async def body(world: SimWorld) -> None:
        values = await filled(world)
        meddle(world, losing(Installed, 12))
        await world.add("n4")
        await world.sleep(2)
        await all_there(world, values)

    sim(stage, body, nodes=3, n=2)


@pytest.mark.parametrize("stage", [3, 4])
def test_a_node_that_died_as_the_others_took_it_in_is_a_member_that_is_down(stage: int) -> None:
    async def body(world: SimWorld) -> None:
        await filled(world)
        joining = asyncio.ensure_future(world.add("n4"))
        seen = asyncio.Event()

        def fate(sender: NodeId, to: NodeId, message: Message) -> list[float]:
            if isinstance(message, Installed):
                seen.set()
            return [0.0]

        meddle(world, fate)
        await seen.wait()
        await world.kill("n4")
        with pytest.raises(RingChangeFailed, match=r"n4 broke off.* it is a member now, and down"):
            await joining
        assert world.info("n4").state is NodeState.DOWN
        await world.sleep(3)
        assert {m.node for m in transfer_of(world, "n1").ring.members} == {"n1", "n2", "n3", "n4"}
        await world.restart("n4")
        for node in world.up():
            ring = transfer_of(world, node).ring
            assert sorted(m.node for m in ring.members) == ["n1", "n2", "n3", "n4"], node
        assert (await world.put(b"k", b"v")).outcome is Outcome.OK
        await world.remove("n4")

    sim(stage, body, nodes=3, n=2)


def test_what_one_member_has_installed_the_others_settle_for() -> None:
    """The driver dies when one of three has heard of the new ring."""

    async def body(world: SimWorld) -> None:
        told = asyncio.Event()

        def fate(sender: NodeId, to: NodeId, message: Message) -> list[float]:
            if isinstance(message, Install) and not message.settles:
                if to != "n2":
                    return []
                told.set()
            return [0.0]

        meddle(world, fate)
        joining = asyncio.ensure_future(world.add("n4"))
        await told.wait()
        await world.kill("n4")
        with pytest.raises(RingChangeFailed, match="n4 broke off"):
            await joining
        await world.sleep(3)
        assert {transfer_of(world, node).ring.epoch for node in world.up()} == {1}

    sim(3, body, nodes=3)


def test_who_has_promised_takes_no_install_from_the_driver_and_one_from_a_member() -> None:
    async def body(world: SimWorld) -> None:
        seen: list[Install] = []

        def fate(sender: NodeId, to: NodeId, message: Message) -> list[float]:
            if isinstance(message, Install):
                seen.append(message)
                return []
            return [0.0]

        meddle(world, fate)
        joining = asyncio.ensure_future(world.add("n4"))
        while not seen:
            await world.sleep(0.001)
        install, n2 = seen[0], transfer_of(world, "n2")
        assert await n2.on(NodeId("n1"), Promise(install.change)) == RingIs(world.ring)
        with pytest.raises(Busy, match="being settled without its driver"):
            await n2.on(NodeId("n4"), install)
        assert n2.ring.epoch == 0
        by_member = Install(install.change, install.ring, settles=True)
        assert await n2.on(NodeId("n1"), by_member) == Installed()
        meddle(world, lambda *_: [0.0])
        await world.kill("n4")
        with pytest.raises(RingChangeFailed, match="n4 broke off"):
            await joining

    sim(3, body, nodes=3)


def is_stream(message: Message) -> bool:
    return isinstance(message, Take) and len(message.copies) > 1


@pytest.mark.parametrize("stage", [3, 4])
def test_a_late_copy_does_not_undo_what_was_written_or_deleted_meanwhile(stage: int) -> None:
    """The stream of copies arrives after the writes that came after it."""

    async def body(world: SimWorld) -> None:
        values = await filled(world)
        streaming = asyncio.Event()

        def fate(sender: NodeId, to: NodeId, message: Message) -> list[float]:
            if is_stream(message):
                streaming.set()
                return [0.09, 0.2]
            return [0.0]

        meddle(world, fate)
        joining = asyncio.ensure_future(world.add("n4"))
        await streaming.wait()
        await world.sleep(0.005)  # every source has sent its copies by now

        async def meanwhile(key: bytes, i: int) -> None:
            done = await (world.delete(key) if i % 2 else world.put(key, b"new"))
            assert done.outcome is Outcome.OK

        await asyncio.gather(*(meanwhile(key, i) for i, key in enumerate(values)))
        assert world.ring.epoch == 0
        await joining
        await world.sleep(0.5)
        await all_there(world, {key: b"new" for i, key in enumerate(values) if i % 2 == 0})
        for i, key in enumerate(values):
            if i % 2:
                assert (await world.get(key, via="n4")).values == ()

    sim(stage, body, nodes=3, n=2)


@pytest.mark.parametrize("stage", [3, 4])
def test_the_frost_waits_for_writes_on_their_way_to_the_heir(stage: int) -> None:
    async def body(world: SimWorld) -> None:
        values = await filled(world)

        def fate(sender: NodeId, to: NodeId, message: Message) -> list[float]:
            return [0.06] if isinstance(message, Take) and not is_stream(message) else [0.0]

        meddle(world, fate)
        joining = asyncio.ensure_future(world.add("n4"))
        written: dict[bytes, bytes] = {}

        async def write(key: bytes) -> None:
            i = 0
            while not joining.done():
                i += 1
                if (await world.put(key, b"%d" % i)).outcome is Outcome.OK:
                    written[key] = b"%d" % i
                await world.sleep(0.001)

        await asyncio.gather(joining, *(write(key) for key in list(values)[:20]))
        assert len(written) == 20
        await all_there(world, written)

    sim(stage, body, nodes=3, n=2)


def test_a_driver_that_was_given_up_does_not_take_another_ring_of_that_epoch_for_its_own() -> None:
    """n4 falls silent before it installs; the others settle, and take n5 in. n4 wakes, and must see that."""

    async def body(world: SimWorld) -> None:
        values = await filled(world)
        frozen = asyncio.Event()

        def fate(sender: NodeId, to: NodeId, message: Message) -> list[float]:
            if isinstance(message, Frozen) and sender == "n3":
                frozen.set()
            return [0.0]

        meddle(world, fate)
        joining = asyncio.ensure_future(world.add("n4"))
        await frozen.wait()
        await world.pause("n4")
        await world.sleep(3)
        await world.add("n5")
        await world.resume("n4")
        await joining
        await world.sleep(1)
        for node in world.up():
            members = {m.node for m in transfer_of(world, node).ring.members}
            assert members == {"n1", "n2", "n3", "n4", "n5"}, node
        await all_there(world, values)

    sim(3, body, nodes=3)


def test_the_world_does_not_hand_out_an_older_ring_than_it_knows() -> None:
    """n4's change is in force, but n4 hears of it late: after n1's, that followed."""

    async def body(world: SimWorld) -> None:
        in_force = asyncio.Event()

        def fate(sender: NodeId, to: NodeId, message: Message) -> list[float]:
            if isinstance(message, Installed) and to == "n4":
                in_force.set()
                return [0.4]
            return [0.0]

        meddle(world, fate)
        late = asyncio.ensure_future(world.remove("n4"))
        await in_force.wait()
        await world.sleep(0.02)
        await world.remove("n1")
        await late
        await world.add("n7")
        assert {m.node for m in world.ring.members} == {"n2", "n3", "n5", "n7"}

    sim(4, body, nodes=5, n=2, timeout_ms=500)


def test_a_node_that_came_back_with_an_old_ring_does_not_stop_the_next_change() -> None:
    async def body(world: SimWorld) -> None:
        old = Placement(Ring(world.ring), world.config.n)
        await world.add("n4")
        transfer_of(world, "n2").placement = old  # as one that was cut off while the ring changed
        await world.add("n5")
        await world.sleep(0.1)
        assert {transfer_of(world, node).ring.epoch for node in world.up()} == {2}

    sim(4, body, nodes=3)


def test_a_member_that_was_restarted_after_the_frost_is_told_of_the_new_ring() -> None:
    """It knows of no change, so it refuses the driver's install; left alone it would serve by the old one."""

    async def body(world: SimWorld) -> None:
        joining = asyncio.ensure_future(world.add("n4"))
        frozen = asyncio.Event()

        def fate(sender: NodeId, to: NodeId, message: Message) -> list[float]:
            if isinstance(message, Frozen) and sender == "n2":
                frozen.set()
            return [0.0]

        meddle(world, fate)
        await frozen.wait()
        await world.kill("n2")
        await world.restart("n2")
        await joining
        await world.sleep(0.1)
        assert {transfer_of(world, node).ring.epoch for node in world.up()} == {1}

    sim(3, body, nodes=3)


def test_a_read_that_goes_on_to_the_next_replica_as_the_ring_changes_finds_the_value() -> None:
    """The first replica is silent; by the time the second is asked, it has given the key to an heir."""

    async def body(world: SimWorld) -> None:
        values = await filled(world)
        leaver = "n2"
        second = {(await world.replicas(key))[1]: key for key in values}
        key = second[NodeId(leaver)]
        first = (await world.replicas(key))[0]
        via = next(node for node in world.up() if node not in (first, leaver))

        def fate(sender: NodeId, to: NodeId, message: Message) -> list[float]:
            return [] if isinstance(message, Fetch) and to == first else [0.0]

        meddle(world, fate)
        reading = asyncio.ensure_future(world.get(key, via=via))
        await world.remove(leaver)
        assert (await reading).values == (values[key],)

    sim(4, body, nodes=4, n=2)


def test_an_operation_that_lives_through_two_changes_reaches_as_many_replicas() -> None:
    """By way of two rings or at a leap, every request of one operation goes to a seat of its own."""
    rings = [RingSpec(0, tuple(Member(NodeId(f"n{i}")) for i in range(1, 9)), 4)]
    for node in ("n1", "n2", "n3", "n4"):
        rings.append(left(rings[-1], NodeId(node)))
    placements = [Placement(Ring(ring), 3) for ring in rings]
    for key in (b"k%d" % i for i in range(300)):
        for path in ([1, 4], [2, 4], [1, 2, 3, 4], [4]):
            seats = Seats(key, placements[0])
            for epoch in path:
                seats.follow(placements[epoch])
                assert sorted(seats.now.values()) == sorted(placements[epoch].replicas(key))


def test_writes_go_on_soon_after_an_heir_has_died() -> None:
    """Once one heir has missed a write the change is off, and no other write waits for it in vain."""

    async def body(world: SimWorld) -> None:
        await filled(world)
        given = asyncio.Event()

        def fate(sender: NodeId, to: NodeId, message: Message) -> list[float]:
            if isinstance(message, Took):
                given.set()
                return []
            return [] if isinstance(message, Abort) else [0.0]

        meddle(world, fate)
        joining = asyncio.ensure_future(world.add("n4"))
        await given.wait()
        await world.kill("n4")
        with pytest.raises(NoAnswer):
            await joining
        results = [await world.put(b"f%d" % i, b"new", via="n1") for i in range(60)]
        assert sum(result.outcome is not Outcome.OK for result in results) <= 3  # one a source

    sim(3, body, nodes=3)


def test_keys_move_with_the_order_of_their_use() -> None:
    """Under a byte budget the heir evicts what was cold at the source, and not what was hot."""

    async def body(world: SimWorld) -> None:
        keys = [b"f%d" % i for i in range(60)]
        for key in keys:
            await world.put(key, b"v")
        for key in reversed(keys):
            await world.get(key)
        source = {key: (await world.replicas(key))[0] for key in keys}
        await world.add("n4")
        moved = await world.keys("n4")
        for node in ("n1", "n2", "n3"):
            of_one = [key for key in moved if source[key] == node]
            assert of_one
            assert of_one == sorted(of_one, key=keys.index, reverse=True)

    sim(3, body, nodes=3, memory_bytes=100_000)


def test_keys_that_were_to_move_are_as_cold_as_before_when_they_stay() -> None:
    """To copy a key for its heir is not to use it."""

    async def body(world: SimWorld) -> None:
        keys = [b"f%d" % i for i in range(60)]
        for key in keys:
            await world.put(key, b"v")
        order = {node: await world.keys(node) for node in world.up()}
        meddle(world, lambda sender, to, message: [] if isinstance(message, Freeze) else [0.0])
        with pytest.raises(CHANGE_FAILED):
            await world.add("n4")
        assert {node: await world.keys(node) for node in order} == order

    sim(3, body, nodes=3, memory_bytes=100_000)


def main() -> None:
    stage, seeds = sys.argv[1:]
    first, _, last = seeds.partition("..")
    failed = 0
    for seed in range(int(first), int(last or first) + 1):
        try:
            tell(int(stage), seed)
        except AssertionError as error:
            failed += 1
            print(error, end="\n\n")
            if not last:
                raise
    print(f"{failed} failed")


if __name__ == "__main__":
    main()
