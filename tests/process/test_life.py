"""ProcessWorld: nodes that die, hang or cannot start, and what is left when it is over."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import socket
import sys
import tempfile
from pathlib import Path
from typing import Any

import msgspec
import psutil
import pytest

from kvlab.config import ClusterConfig
from kvlab.errors import KvlabError, OperationError, Outcome, PortTaken, UserError
from kvlab.messages import NodeId
from kvlab.trace import events
from kvlab.trace.events import AnyEvent
from kvlab.world.control import Attach, Command, Ready, Response, SetLinks, SetPeers, ToSupervisor
from kvlab.world.process import supervisor
from kvlab.world.process.supervisor import ProcessWorld
from kvlab.world.process.wire import is_free
from kvlab.world.world import NodeState
from tests.process.up import runs
from tests.worlds import next_ports, until

CONFIG = ClusterConfig(stage=4, nodes=3, w=1, timeout_ms=500)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the world keeps its logs, so that one sees what it leaves."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def started() -> list[int]:
    """The node processes that run, children of this one."""
    children = [child for child in psutil.Process().children() if runs(child.pid)]
    # What waits for a pool of processes, once another test has had one, stays to the end.
    return [child.pid for child in children if "multiprocessing" not in " ".join(child.cmdline())]


async def is_down(world: ProcessWorld, node: str) -> bool:
    return world.info(node).state is NodeState.DOWN


def test_a_node_that_dies_by_itself_is_noticed_and_can_be_restarted(folder: Path) -> None:
    told: list[AnyEvent] = []

    async def main() -> Path:
        world = ProcessWorld(CONFIG, port=next_ports())
        world.watch(told.append, traffic=False)
        async with world:
            before = world.info("n2").port
            os.kill(world.info("n2").pid, signal.SIGKILL)
            await until(world, lambda: is_down(world, "n2"))
            (died,) = [event for event in told if isinstance(event, events.NodeDied)]
            assert (died.node, died.why) == ("n2", "it ended with status -9")
            assert Path(died.log) == world.log_folder / "n2.log"
            assert (await world.get(b"k", via="n2")).error == "NodeDown"
            await world.restart("n2")
            assert world.info("n2").port == before
            assert (await world.put(b"k", b"v", via="n2")).outcome is Outcome.OK
            return Path(died.log)

    log = asyncio.run(main())
    assert log.exists()  # for whoever wants to know why it died
    assert started() == []
    assert not any(isinstance(event, events.Sent | events.OpStarted) for event in told)


@pytest.mark.parametrize("given", [True, False], ids=["ports given", "ports found"])
def test_a_restart_whose_port_was_taken_says_by_whom_and_starts_nothing(
    folder: Path, monkeypatch: pytest.MonkeyPatch, given: bool
) -> None:
    first = next_ports()
    monkeypatch.setattr(supervisor, "FIRST_PORT", first)
    told: list[AnyEvent] = []

    async def main() -> None:
        async with ProcessWorld(CONFIG, port=first if given else None) as world:
            port = world.info("n2").port
            await world.kill("n2")
            world.watch(told.append, traffic=False)
            with socket.create_server(("127.0.0.1", port)):
                with pytest.raises(PortTaken, match=rf"its own port: {port} is taken by .*{os.getpid()}"):
                    await world.restart("n2")
                assert world.info("n2").state is NodeState.DOWN
                assert len(started()) == 2
                assert told == []
            await world.restart("n2")
            assert world.info("n2").port == port
            assert (await world.put(b"k", b"v", via="n2")).outcome is Outcome.OK

    asyncio.run(main())
    assert started() == []
    assert list(folder.iterdir()) == []


def test_a_new_node_leaves_the_ports_of_members_alone_even_of_those_that_are_down(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = next_ports()
    monkeypatch.setattr(supervisor, "FIRST_PORT", first)

    class Raced(ProcessWorld):
        """Somebody else is quicker to the port that was found for n4."""

        def _assign_port(self, node: NodeId, wanted: int | None) -> None:
            super()._assign_port(node, wanted)
            if node == "n4":
                self._ports[node] = first

    async def main() -> None:
        async with Raced(msgspec.structs.replace(CONFIG, stage=3)) as world:
            assert [world.info(node).port for node in world.members()] == [first, first + 1, first + 2]
            await world.remove("n3")
            await world.kill("n2")
            with pytest.raises(OperationError):  # all members have to agree to a change, and n2 is down
                await world.add("n4")
            assert world.nodes[NodeId("n4")].port == first + 2  # n3's, who needs it no more
            await world.restart("n2")
            assert world.info("n2").port == first + 1

    asyncio.run(main())


def test_a_node_that_cannot_start_again_is_told_to_be_dead(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[AnyEvent] = []

    async def main() -> None:
        async with ProcessWorld(CONFIG, port=next_ports()) as world:
            await world.kill("n2")
            world.watch(told.append, traffic=False)
            monkeypatch.setattr(sys, "executable", "/bin/false")
            with pytest.raises(KvlabError, match="n2 ended with status 1 before it was ready"):
                await world.restart("n2")

    asyncio.run(main())
    assert [type(event) for event in told] == [events.NodeStarting, events.NodeDied]
    assert isinstance(told[-1], events.NodeDied)
    assert told[-1].why.startswith("n2 ended with status 1")


def test_a_paused_node_can_be_killed_and_restarted_and_a_world_with_one_be_closed(folder: Path) -> None:
    async def main() -> None:
        world = ProcessWorld(CONFIG, port=next_ports())
        async with world:
            await world.pause("n2")
            await world.kill("n2")
            assert len(started()) == 2
            await world.restart("n2")
            assert (await world.put(b"k", b"v", via="n2")).outcome is Outcome.OK
            await world.pause("n3")
            await asyncio.gather(world.close(), world.close())
            assert started() == []
            assert all(is_free(info.port) for info in world.nodes.values())
        await world.close()

    asyncio.run(main())
    assert list(folder.iterdir()) == []


def test_a_node_may_be_killed_while_the_links_of_all_are_being_slowed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def main() -> None:
        async with ProcessWorld(CONFIG, port=next_ports()) as world:
            call = world.call
            killed: list[asyncio.Future[None]] = []

            async def killing(node: NodeId, command: Command, timeout_ms: float | None = None) -> Response:
                """Both others die while n1 is being told."""
                if isinstance(command, SetLinks) and not killed:
                    killed.append(asyncio.ensure_future(world.kill("n3")))
                    await world.kill("n2")
                return await call(node, command, timeout_ms)

            monkeypatch.setattr(world, "call", killing)
            await world.slow("n1", None, 20)
            await asyncio.gather(*killed)
            assert world.up() == ["n1"]

    asyncio.run(main())


@pytest.mark.parametrize("stage", [1, 4])
def test_a_node_may_be_restarted_before_its_kill_is_over_and_only_once(folder: Path, stage: int) -> None:
    config = ClusterConfig(stage=stage, nodes=1 if stage == 1 else 3)

    async def main() -> None:
        async with ProcessWorld(config, port=next_ports()) as world, asyncio.timeout(20):
            again = [world.restart("n1"), world.restart("n1")]
            killed, *restarted = await asyncio.gather(world.kill("n1"), *again, return_exceptions=True)
            assert killed is None
            assert set(map(str, restarted)) == {"None", "cannot restart n1: it is starting, not down"}
            assert len(started()) == config.nodes
            assert (await world.put(b"k", b"v", via="n1")).outcome is Outcome.OK

    asyncio.run(main())


def test_a_node_may_be_killed_while_it_is_told_where_a_restarted_one_listens(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def main() -> None:
        async with ProcessWorld(CONFIG, port=next_ports()) as world:
            call = world.call

            async def killing(node: NodeId, command: Command, timeout_ms: float | None = None) -> Response:
                if isinstance(command, SetPeers) and node == "n2":
                    await world.kill("n2")
                return await call(node, command, timeout_ms)

            await world.kill("n1")
            monkeypatch.setattr(world, "call", killing)
            await world.restart("n1")
            assert world.up() == ["n1", "n3"]

    asyncio.run(main())


def test_a_node_that_does_not_answer_keeps_no_other_from_hearing_of_a_fault(folder: Path) -> None:
    told: list[AnyEvent] = []

    async def main() -> None:
        async with ProcessWorld(CONFIG, port=next_ports()) as world:
            world.watch(told.append)
            process = psutil.Process(world.info("n1").pid)
            process.suspend()  # not by `pause`: the world takes it for one that runs
            with pytest.raises(OperationError, match="n1 did not answer"):
                await world.partition([["n1", "n3"], ["n2"]])
            process.resume()
            await world.put(b"k", b"v", via="n3")

    asyncio.run(main())
    assert "partition" in {event.why for event in told if isinstance(event, events.MessageDropped)}


def test_whoever_is_down_during_a_partition_is_still_cut_off_from_the_others_as_it_starts(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def main() -> None:
        async with ProcessWorld(CONFIG, port=next_ports()) as world:
            call = world.call
            told: dict[NodeId, SetLinks] = {}

            async def noting(node: NodeId, command: Command, timeout_ms: float | None = None) -> Response:
                if isinstance(command, SetLinks):
                    told[node] = command
                return await call(node, command, timeout_ms)

            monkeypatch.setattr(world, "call", noting)
            await world.partition([["n1", "n2"], ["n3"]])
            await world.kill("n3")
            await world.slow("n1", "n2", 20)
            assert all(told[NodeId(node)].links[NodeId("n3")].cut for node in ("n1", "n2"))

    asyncio.run(main())


def test_a_bug_in_a_node_is_answered_and_told_and_the_node_goes_on(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "sitecustomize.py").write_text(
        "import sys\n"
        "if 'kvlab.world.process.node' in sys.orig_argv:\n"
        "    from kvlab.stages import s01_hashmap\n"
        "    s01_hashmap.HashmapNode.get = s01_hashmap.HashmapNode.replicas = lambda *_: 1 // 0\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(folder))
    told: list[AnyEvent] = []

    async def main() -> None:
        async with ProcessWorld(ClusterConfig(stage=1), port=next_ports()) as world:
            world.watch(told.append, traffic=False)
            got = await world.get(b"k")
            assert (got.outcome, got.error) == (Outcome.UNKNOWN, "ZeroDivisionError")
            assert got.text.startswith("n1 has a bug: ZeroDivisionError")
            with pytest.raises(UserError, match="n1 has a bug"):
                await world.replicas(b"k")
            assert (await world.put(b"k", b"v")).outcome is Outcome.OK

    asyncio.run(main())
    assert [event.node for event in told if isinstance(event, events.NodeFault)] == ["n1", "n1"]


def test_of_several_nodes_that_cannot_start_one_is_told_of(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And asyncio does not add, of each of the others, that its exception was never retrieved."""
    unheard: list[dict[str, Any]] = []

    async def main() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: unheard.append(context))
        for node in ("n1", "n2", "n3"):
            (folder / f"{node}.sqlite").mkdir()
        world = ProcessWorld(msgspec.structs.replace(CONFIG, durable=True), port=next_ports())
        monkeypatch.setattr(world, "_disk", lambda node: folder / f"{node}.sqlite")
        with pytest.raises(UserError, match="n1 could not start"):
            await world.start()

    asyncio.run(main())
    gc.collect()
    assert unheard == []


def test_nothing_is_started_in_a_world_that_ends(folder: Path) -> None:
    async def main() -> None:
        world = ProcessWorld(CONFIG, port=next_ports())
        async with world:
            await world.kill("n3")
            ending, *others = [world.close(), world.restart("n3"), world.add("n4")]
            _, *errors = await asyncio.gather(ending, *others, return_exceptions=True)
            assert [str(error) for error in errors] == [
                f"{node} is not started: the cluster is ending" for node in ("n3", "n4")
            ]
        assert started() == []

    asyncio.run(main())
    assert list(folder.iterdir()) == []


def test_an_exception_in_the_midst_of_it_leaves_nothing(folder: Path) -> None:
    async def main() -> None:
        async with ProcessWorld(CONFIG, port=next_ports()):
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        asyncio.run(main())
    assert started() == []
    assert list(folder.iterdir()) == []


def test_a_world_cancelled_at_its_start_or_at_its_end_leaves_nothing(folder: Path) -> None:
    async def main() -> None:
        world = ProcessWorld(CONFIG, port=next_ports())
        starting = asyncio.ensure_future(world.start())
        await until(world, lambda: asyncio.sleep(0, len(started()) == 3))
        starting.cancel()
        await asyncio.sleep(0)  # now it closes the world
        starting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await starting
        await world.close()
        assert started() == []

    asyncio.run(main())
    assert list(folder.iterdir()) == []


def test_nobody_attaches_as_a_starting_node_who_does_not_know_the_token(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sleeper = folder / "sleeper"
    sleeper.write_text("#!/bin/sh\nexec sleep 60\n")
    sleeper.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(sleeper))  # nodes that never attach

    async def main() -> None:
        world = ProcessWorld(CONFIG, port=next_ports())
        starting = asyncio.ensure_future(world.start())
        await until(world, lambda: asyncio.sleep(0, len(started()) == 3))
        assert world._server is not None
        port = world._server.sockets[0].getsockname()[1]
        for token in ("guessed", ""):
            said = msgspec.msgpack.encode(Attach(token, NodeId("n1"), 1))
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(len(said).to_bytes(4, "big") + said)
            assert await asyncio.wait_for(reader.read(), 10) == b""  # closed
            writer.close()
        assert not world._children[NodeId("n1")].attached.done()
        starting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await starting
        assert started() == []

    asyncio.run(main())
    assert list(folder.iterdir()) == [sleeper]


def test_nodes_tell_nothing_unless_somebody_watches(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    frames: list[str] = []

    class Counting:
        """Stands before the decoder of what the nodes say."""

        def __init__(self, decoder: object) -> None:
            self._decoder = decoder

        def decode(self, data: memoryview) -> ToSupervisor:
            message: ToSupervisor = decode(data)
            frames.append(type(message).__name__)
            return message

    decode = supervisor._decoder.decode
    monkeypatch.setattr(supervisor, "_decoder", Counting(supervisor._decoder))

    async def main() -> None:
        world = ProcessWorld(CONFIG, port=next_ports())
        nodes_only: list[AnyEvent] = []
        world.watch(nodes_only.append, traffic=False)
        async with world:
            await world.put(b"k", b"v", via="n1")
            assert "Answer" in frames
            assert "Told" not in frames
            assert {type(event) for event in nodes_only} == {events.NodeStarting, events.NodeReady}
            all_of_it: list[AnyEvent] = []
            leave = world.watch(all_of_it.append)
            await world.put(b"k", b"v", via="n1")
            assert "Told" in frames
            assert any(isinstance(event, events.Sent) for event in all_of_it)
            leave()
            for node in world.members():
                await world.count(node)  # by its answer it has heard that nobody watches
            frames.clear()
            await world.put(b"k", b"v", via="n1")
            assert "Told" not in frames

    asyncio.run(main())


def test_what_each_process_takes_is_told_while_somebody_watches_traffic_and_not_of_the_dead(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisor, "MEASURE_S", 0.05)

    async def main() -> None:
        world = ProcessWorld(CONFIG, port=next_ports())
        unasked: list[AnyEvent] = []
        world.watch(unasked.append, traffic=False)

        def told_of(told: list[AnyEvent]) -> set[str]:
            return {event.node for event in told if isinstance(event, events.Used)}

        async def all_told() -> bool:
            return told_of(told) == set(world.up())

        async with world:
            for _ in range(3):
                await world.sleep(0.05)
            assert not told_of(unasked)
            told: list[AnyEvent] = []
            world.watch(told.append)
            await until(world, all_told)
            sizes = [event.rss for event in told if isinstance(event, events.Used)]
            assert all(5_000_000 < size < 500_000_000 for size in sizes)
            await world.kill("n2")
            told.clear()
            await until(world, all_told)
            assert told_of(told) == {"n1", "n3"}

    asyncio.run(main())


def test_a_node_that_starts_learns_where_one_listens_that_came_meanwhile() -> None:
    class Staggered(ProcessWorld):
        """n5 has been told what to be, and is ready only when n6 is a member."""

        def __init__(self) -> None:
            super().__init__(ClusterConfig(stage=4, nodes=4, timeout_ms=1000), port=next_ports())
            self.told, self.may_be_ready = asyncio.Event(), False
            self.held: tuple[supervisor.Child, Ready] | None = None

        def _begin(self, child: supervisor.Child) -> None:
            super()._begin(child)
            if child.info.node == "n5":
                self.told.set()

        def _on_ready(self, child: supervisor.Child, ready: Ready) -> None:
            if child.info.node == "n5" and not self.may_be_ready:
                self.held = (child, ready)
            else:
                super()._on_ready(child, ready)

        def let_n5_be_ready(self) -> None:
            self.may_be_ready = True
            if self.held is not None:
                self._on_ready(*self.held)

    async def main() -> None:
        world = Staggered()
        async with world:
            joining = asyncio.ensure_future(world.add("n5"))
            await asyncio.wait_for(world.told.wait(), 20)
            await world.add("n6")
            world.let_n5_be_ready()
            await joining
            assert world.members() == [f"n{i}" for i in range(1, 7)]

    asyncio.run(main())
