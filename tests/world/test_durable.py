"""A durable node: `restart` brings back what it had confirmed, `restart empty` does not. In both worlds."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
import redis
import redis.asyncio
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from kvlab.config import ClusterConfig
from kvlab.errors import NotKept, Outcome, UserError
from kvlab.messages import NodeId
from kvlab.stages import STAGES
from kvlab.trace import events
from kvlab.trace.events import AnyEvent
from kvlab.trace.model import Model
from kvlab.world.control import Result
from kvlab.world.process.supervisor import ProcessWorld
from kvlab.world.sim import SimWorld
from kvlab.world.world import NodeState, World
from tests.stages.test_stages import put_seen
from tests.worlds import WORLDS, next_ports, run_in, until

N1 = NodeId("n1")

both_worlds = pytest.mark.parametrize("kind", WORLDS)


def durable(stage: int, **config: Any) -> ClusterConfig:
    return ClusterConfig(**{"stage": stage, "nodes": 3, "durable": True, "timeout_ms": 1000, **config})


async def every_copy(world: World, node: str) -> dict[bytes, tuple[bytes, ...]]:
    return {key: await world.peek(node, key) for key in await world.keys(node)}


@pytest.mark.parametrize(
    ("kind", "stage"), [*(("sim", stage.number) for stage in STAGES), ("process", 1), ("process", 5)]
)
def test_a_restarted_node_holds_what_it_held_and_an_emptied_one_nothing(kind: str, stage: int) -> None:
    async def body(world: World) -> None:
        for i in range(20):
            assert (await world.put(b"k%d" % i, b"v%d" % i)).outcome is Outcome.OK
        await world.delete(b"k3")
        await put_seen(world, b"k4", b"again", NodeId("n1"))
        await world.sleep(0.1)
        before = await every_copy(world, "n1")
        assert before.get(b"k4", (b"again",)) == (b"again",)  # where a key has one copy, it may be elsewhere
        assert b"k3" not in before
        await world.kill("n1")
        await world.restart("n1")
        assert await every_copy(world, "n1") == before
        await world.kill("n1")
        await world.restart("n1", empty=True)
        assert await every_copy(world, "n1") == {}
        await world.kill("n1")
        await world.restart("n1")  # and emptied it stays
        assert await every_copy(world, "n1") == {}

    run_in(kind, durable(stage), body)


@both_worlds
@pytest.mark.parametrize("stage", [4, 5, 6])
def test_who_watches_is_told_what_a_restarted_node_has_found_on_its_disk(kind: str, stage: int) -> None:
    async def body(world: World) -> None:
        model = Model(world.config)
        world.watch(model.apply)
        for i in range(3):
            await world.put(b"k%d" % i, b"v%d" % i)

        async def told() -> bool:
            return len(model.items.get(N1, ())) == 3

        await until(world, told)
        before = dict(model.items[N1]), dict(model.copies.get(N1, {}))
        await world.kill("n1")
        assert N1 not in model.items
        await world.restart("n1")
        await until(world, told)
        assert (model.items[N1], model.copies.get(N1, {})) == before
        assert model.nodes[N1].keys == 3

    run_in(kind, durable(stage), body)


@both_worlds
def test_without_a_disk_a_restart_is_always_empty(kind: str) -> None:
    async def body(world: World) -> None:
        await world.put(b"k", b"v")
        await world.kill("n1")
        await world.restart("n1")
        assert await world.keys("n1") == ()

    run_in(kind, ClusterConfig(stage=1), body)


@both_worlds
def test_what_was_to_expire_expires_after_a_restart_too(kind: str) -> None:
    async def body(world: World) -> None:
        expires_ms = world.now_ms() + 1500
        await world.put(b"k", b"v", expires_ms=expires_ms)
        await world.kill("n1")
        await world.restart("n1")
        held = await world.keys("n1")
        assert (
            held == (b"k",) or world.now_ms() > expires_ms
        )  # a busy machine may start a process for so long

        async def gone() -> bool:
            return await world.keys("n1") == ()

        await until(world, gone)
        await world.kill("n1")
        await world.restart("n1")
        assert await world.keys("n1") == ()

    run_in(kind, durable(1), body)


@both_worlds
def test_a_node_that_left_leaves_nothing_to_a_later_one_of_its_name(kind: str) -> None:
    async def body(world: World) -> None:
        await world.add("n4")
        for i in range(20):
            await world.put(b"k%d" % i, b"v")
        await world.remove("n4")
        await world.add("n4")
        await world.kill("n4")
        await world.restart("n4")
        for i in range(20):
            assert await read(world, b"k%d" % i) == (b"v",)

    run_in(kind, durable(3), body)


@pytest.mark.parametrize("stage", [1, 5, 9])
def test_kill_9_under_load_loses_no_acknowledged_write(stage: int) -> None:
    """Of all nodes at a time, so that no replica can stand in for what another has forgotten."""
    acknowledged: dict[bytes, bytes] = {}

    async def body(world: World) -> None:
        async def write(client: int) -> None:
            port = world.info(world.up()[client % len(world.up())]).port
            connection = redis.asyncio.Redis(port=port, retry=Retry(NoBackoff(), 0))
            for i in range(100_000):
                key, value = b"%d.%d" % (client, i % 50), b"%d" % i
                try:
                    await connection.set(key, value)
                except (redis.RedisError, OSError):
                    break
                acknowledged[key] = value
            await connection.aclose()

        writers = [asyncio.create_task(write(client)) for client in range(4)]

        async def enough() -> bool:
            return len(acknowledged) == 200

        await until(world, enough, limit_s=30)
        nodes = list(world.up())
        await asyncio.gather(*map(world.kill, nodes))
        await asyncio.gather(*writers)
        for node in nodes:
            await world.restart(node)
        for key, value in acknowledged.items():
            found = await read(world, key)
            # The last one may have been written and not acknowledged.
            assert [one for one in found if int(one) >= int(value)], (key, value, found)

    run_in("process", durable(stage), body)


async def read(world: World, key: bytes) -> tuple[bytes, ...]:
    """What is there, once somebody can say so: who has just been started may not have heard of the others."""
    results: list[Result] = []

    async def is_answered() -> bool:
        results.append(await world.get(key))
        return results[-1].outcome is Outcome.OK

    try:
        await until(world, is_answered)
    except AssertionError:
        raise AssertionError(results[-1].text) from None
    return results[-1].values


# -- a folder that outlives the cluster ----------------------------------------------------------


def in_folder(folder: Path, body: Callable[[ProcessWorld], Awaitable[None]], **config: Any) -> None:
    async def main() -> None:
        settings = ClusterConfig(**{"stage": 4, "nodes": 3, "timeout_ms": 1000, **config})
        async with (world := ProcessWorld(settings, port=next_ports(), data_dir=folder)):
            await body(world)

    asyncio.run(main())


def test_a_cluster_started_again_on_its_folder_has_its_keys_its_members_and_later_lives(
    tmp_path: Path,
) -> None:
    folder = tmp_path / "made" / "if missing"

    async def first(world: ProcessWorld) -> None:
        await world.add("n4", zone="z9", weight=2)
        await world.remove("n2")
        for i in range(20):
            assert (await world.put(b"k%d" % i, b"v%d" % i)).outcome is Outcome.OK

    async def second(world: ProcessWorld) -> None:
        assert world.members() == ["n1", "n3", "n4"]
        assert world.info("n4").member.zone == "z9"
        assert world.info("n1").generation == 1
        for i in range(20):
            assert await read(world, b"k%d" % i) == (b"v%d" % i,)

    in_folder(folder, first)
    in_folder(folder, second)


def test_a_cluster_whose_supervisor_was_killed_can_be_started_again(tmp_path: Path) -> None:
    async def first(world: ProcessWorld) -> None:
        await world.put(b"k", b"v")
        for info in world.nodes.values():
            world._signal(info, "SIGKILL", "kill")

        async def dead() -> bool:
            return all(info.state is NodeState.DOWN for info in world.nodes.values())

        await until(world, dead)

    async def second(world: ProcessWorld) -> None:
        assert await read(world, b"k") == (b"v",)

    in_folder(tmp_path, first)
    in_folder(tmp_path, second)


def test_two_clusters_cannot_have_the_same_data(tmp_path: Path) -> None:
    async def nothing(world: ProcessWorld) -> None:
        raise AssertionError("it started")

    async def body(world: ProcessWorld) -> None:
        await world.put(b"k", b"v")
        with pytest.raises(UserError, match=r"n1\.sqlite: another cluster is using it"):
            await asyncio.to_thread(in_folder, tmp_path, nothing)
        assert await read(world, b"k") == (b"v",)

    in_folder(tmp_path, body)


def test_data_of_another_stage_or_of_no_cluster_is_refused_and_left_alone(tmp_path: Path) -> None:
    async def nothing(world: ProcessWorld) -> None:
        await world.put(b"k", b"v")

    in_folder(tmp_path, nothing)
    with pytest.raises(UserError, match="is of stage 4 with n=3, and what is to start is stage 5, quorum"):
        in_folder(tmp_path, nothing, stage=5)
    with pytest.raises(UserError, match="is of stage 4 with n=3"):
        in_folder(tmp_path, nothing, n=2)
    other = tmp_path / "other"
    other.mkdir()
    (other / "n1.sqlite").write_bytes(b"dear diary, " * 100)
    with pytest.raises(UserError, match="it is no file of ours"):
        in_folder(other, nothing)
    assert (other / "n1.sqlite").read_bytes() == b"dear diary, " * 100
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="cannot keep data in"):
        in_folder(tmp_path / "file", nothing)


def test_a_durable_cluster_without_a_folder_leaves_nothing_behind() -> None:
    folders: list[Path] = []

    async def body(world: World) -> None:
        assert isinstance(world, ProcessWorld)
        folders.append(world.log_folder)
        await world.put(b"k", b"v")
        assert (world.log_folder / f"{NodeId('n1')}.sqlite").exists()

    run_in("process", durable(1), body)
    assert not folders[0].exists()


def test_a_write_that_finds_the_disk_full_is_perhaps_written_and_the_node_goes_on(
    tmp_path: Path,
) -> None:
    resource = pytest.importorskip("resource")
    if not hasattr(resource, "prlimit"):
        pytest.skip("only Linux lets one process limit another")
    told: list[AnyEvent] = []

    async def main() -> None:
        world = ProcessWorld(durable(1), port=next_ports(), data_dir=tmp_path)
        world.watch(told.append)
        async with world:
            pid = world.info("n1").pid
            resource.prlimit(pid, resource.RLIMIT_FSIZE, (100_000, resource.RLIM_INFINITY))
            assert (await world.put(b"small", b"v")).outcome is Outcome.OK
            result = await world.put(b"k", b"v" * 200_000)
            assert (result.outcome, result.error) == (Outcome.UNKNOWN, "NotKept")
            assert "make room there" in result.text
            assert (await world.get(b"k")).values == ()
            again = await world.put(b"small", b"v" * 200_000)
            assert again.outcome is Outcome.UNKNOWN
            assert (await world.get(b"small")).values == (b"v",)
            resource.prlimit(pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
            assert (await world.put(b"k", b"again")).outcome is Outcome.OK
            await world.kill("n1")
            await world.restart("n1")
            assert (await world.get(b"k")).values == (b"again",)

    asyncio.run(main())
    assert not [event for event in told if isinstance(event, events.NodeFault)]  # it is nobody's bug


@pytest.mark.parametrize("stage", [5, 6, 9])
def test_what_a_disk_has_not_taken_is_on_it_before_it_is_confirmed(
    stage: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = SimWorld(durable(stage))

    async def body() -> None:
        async with world:
            await world.put(b"k", b"milk", via="n1")
            with monkeypatch.context() as full:
                full.setattr(world._disks[NodeId("n2")], "keep", no_room)
                assert (await put_seen(world, b"k", b"bread", N1)).outcome is Outcome.OK
                await world.sleep(0.1)
                assert await world.peek("n2", b"k") == (b"milk",)
            await world.get(b"k", via="n1")  # which mends n2

            async def is_mended() -> bool:
                return await world.peek("n2", b"k") == (b"bread",)

            await until(world, is_mended)
            await world.kill("n2")
            await world.restart("n2")
            assert await is_mended()

    world.run(body())


def no_room(*_: object) -> None:
    raise NotKept("cannot write: the disk is full")
