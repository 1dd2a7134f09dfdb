"""`kvlab up`: what it prints, how it ends, and that it leaves nothing behind."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import psutil
import pytest
import redis

from tests.process.up import ROOT, Up, eventually, runs
from tests.worlds import next_ports

STOPS = pytest.mark.parametrize("stop", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])


def up(folder: Path, *arguments: str, **how: Any) -> Up:
    """A cluster of three, on ports of its own."""
    return Up(folder, "4", "--nodes", "3", "--port", str(next_ports()), *arguments, **how)


@pytest.mark.parametrize("paused", [False, True], ids=["all running", "one paused"])
def test_no_node_and_no_port_outlives_a_killed_parent(tmp_path: Path, paused: bool) -> None:
    with up(tmp_path, "--json") as cluster:
        cluster.ready()
        if paused:
            node = psutil.Process(cluster.pids["n2"])
            node.suspend()
            eventually(lambda: node.status() == psutil.STATUS_STOPPED, "n2 to stop")
        cluster.process.kill()
        cluster.process.wait()
        cluster.assert_no_process_is_left()


@STOPS
def test_a_signal_ends_everything_in_good_order(tmp_path: Path, stop: signal.Signals) -> None:
    with up(tmp_path, "--json") as cluster:
        cluster.ready()
        assert [path.name[:6] for path in tmp_path.iterdir()] == ["kvlab-"]  # the logs
        cluster.process.send_signal(stop)
        assert cluster.end() == (0, "")
        cluster.assert_nothing_is_left()


def test_a_node_that_hangs_does_not_hold_up_the_end(tmp_path: Path) -> None:
    with up(tmp_path, "--json") as cluster:
        cluster.ready()
        for pid in cluster.pids.values():
            psutil.Process(pid).suspend()
        cluster.process.terminate()
        assert cluster.end() == (0, "")
        cluster.assert_nothing_is_left()


def test_ctrl_c_ends_a_cluster_that_is_still_starting(tmp_path: Path) -> None:
    with up(tmp_path, "--json") as cluster:
        parent = psutil.Process(cluster.process.pid)
        eventually(lambda: len(parent.children()) == 3, "the nodes to be started")
        cluster.pids = {str(child.pid): child.pid for child in parent.children()}
        cluster.process.send_signal(signal.SIGINT)
        assert cluster.end() == (0, "")
        cluster.assert_nothing_is_left()


def test_each_ready_node_is_told_at_once_in_exactly_these_words(tmp_path: Path) -> None:
    port = next_ports()
    with Up(tmp_path, "4", "--nodes", "3", "--port", str(port), "--json") as cluster:
        assert sorted(cluster.ready()) == [
            json.dumps({
                "node": f"n{i + 1}",
                "state": "ready",
                "host": "127.0.0.1",
                "port": port + i,
                "pid": cluster.pids[f"n{i + 1}"],
            })
            for i in range(3)
        ]  # fmt: skip
        parent = psutil.Process(cluster.process.pid)
        assert {child.pid for child in parent.children()} == set(cluster.pids.values())
        listening = [
            connection.laddr.ip
            for process in (parent, *parent.children())
            for connection in process.net_connections()
            if connection.status == psutil.CONN_LISTEN
        ]
        assert set(listening) == {"127.0.0.1"}
        assert len(listening) == 1 + 3 * 2  # one control port; of each node one for peers, one for clients


def test_a_person_reads_where_to_connect_and_a_redis_client_does(tmp_path: Path) -> None:
    """And then the nodes die one by one."""
    port = next_ports()
    with Up(tmp_path, "4", "--nodes", "3", "--zones", "2", "--port", str(port)) as cluster:
        lines = sorted(cluster.ready())
        for i, line in enumerate(lines):
            assert re.fullmatch(rf"n{i + 1} ready 127\.0\.0\.1:{port + i} pid \d+", line)
        assert cluster.line() == (
            "All 3 nodes are ready: stage 4, replication. "
            f"Try `redis-cli -p {port}`, then KV.HELP. Ctrl-C ends it. Zones: z1 has n1 n3, z2 has n2."
        )
        with (
            redis.Redis(port=port, decode_responses=True) as writer,
            redis.Redis(port=port + 2, decode_responses=True) as reader,
        ):
            assert writer.set("cart:42", "milk") is True
            assert reader.get("cart:42") == "milk"

        for node in ("n2", "n1", "n3"):
            psutil.Process(cluster.pids[node]).kill()
            said, _, log = cluster.line().rpartition(" ")
            assert said == f"{node} died: it ended with status -9; its log is"
            assert Path(log).name == f"{node}.log"
            assert Path(log).exists()
        code, complaint = cluster.end()
        assert code == 1
        assert complaint == "Error: every node has died; the logs named above say why\n"
        assert Path(log).exists()  # it is kept
        cluster.assert_no_process_is_left()


def test_a_reader_that_goes_away_ends_the_cluster(tmp_path: Path) -> None:
    """As in `kvlab up 4 | head -1`: quietly, once there is something to say that nobody hears."""
    reading, writing = os.pipe()
    os.close(reading)
    with up(tmp_path, "--json", stdout=writing) as cluster:
        os.close(writing)
        assert cluster.end() == (1, "")
        cluster.assert_nothing_is_left()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no disk that is always full")
def test_an_output_that_has_no_room_ends_the_cluster_and_is_said(tmp_path: Path) -> None:
    with Path("/dev/full").open("w") as full, up(tmp_path, stdout=full.fileno()) as cluster:
        code, complaint = cluster.end()
        assert code == 1
        assert complaint.startswith("Error: there is no room to write to: [Errno 28]")
        assert "Traceback" not in complaint
        cluster.assert_nothing_is_left()


def test_a_taken_port_is_named_and_nothing_is_started(tmp_path: Path) -> None:
    port = next_ports()
    with socket.create_server(("127.0.0.1", port + 1)):
        with Up(tmp_path, "4", "--nodes", "3", "--port", str(port)) as cluster:
            code, complaint = cluster.end()
        assert code == 2
        assert f"port {port + 1}, meant for n2, is taken by " in complaint
        assert f"(process {os.getpid()})" in complaint
        assert "Traceback" not in complaint
        cluster.assert_nothing_is_left()


def test_two_clusters_at_once_step_over_each_other_s_ports(tmp_path: Path) -> None:
    folders = [tmp_path / "one", tmp_path / "two"]
    for folder in folders:
        folder.mkdir()
    with Up(folders[0], "3", "--nodes", "3", "--json") as one, Up(folders[1], "1", "--json") as two:
        one.ready(3)
        two.ready(1)
        ports = [*one.ports.values(), *two.ports.values()]
        assert len(set(ports)) == 4
        assert min(ports) >= 7001
        for port in ports:
            with redis.Redis(port=port) as client:
                assert client.ping()
        for cluster in (one, two):
            cluster.process.terminate()
            assert cluster.end() == (0, "")
            cluster.assert_nothing_is_left()


def child_code(folder: Path, code: str) -> str:
    """A PYTHONPATH under which every node process, and no other, runs this code first."""
    (folder / "sitecustomize.py").write_text(
        f"import sys\nif 'kvlab.world.process.node' in sys.orig_argv:\n    {code}\n", encoding="utf-8"
    )
    return os.pathsep.join([str(ROOT), str(folder)])


def test_what_a_node_prints_goes_to_its_log_and_never_to_the_terminal(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    code = "print('I print'); print('I complain', file=sys.stderr)"
    path = child_code(tmp_path_factory.mktemp("code"), code)
    with up(tmp_path, "--json", environment={"PYTHONPATH": path}) as cluster:
        cluster.ready()
        for log in next(tmp_path.iterdir()).iterdir():
            eventually(lambda log=log: "I complain" in log.read_text(), "it to complain")  # type: ignore[misc]
        cluster.process.terminate()
        assert cluster.end() == (0, "")
        assert cluster.rest() == []


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("print('no way', flush=True); import os; os._exit(3)", 3),
        ("from kvlab.stages.s04_replication import ReplicationNode as N; N.__init__ = lambda self: None", 1),
    ],
    ids=["ends at once", "a bug in the stage"],
)
def test_a_node_that_crashes_at_its_start_is_told_with_the_end_of_its_log(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, code: str, status: int
) -> None:
    path = child_code(tmp_path_factory.mktemp("code"), code)
    with up(tmp_path, environment={"PYTHONPATH": path}) as cluster:
        ended, complaint = cluster.end()
        assert ended == 1
        assert re.search(rf"n\d ended with status {status} before it was ready; its log is \S+\n", complaint)
        assert ("no way" if status == 3 else "TypeError") in complaint
        assert "Task exception" not in complaint
        (log,) = re.findall(r"its log is (\S+)", complaint)
        assert Path(log).read_text()


def test_the_wheel_alone_runs_a_cluster(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Nothing depends on the clone."""
    built = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(built)],
        cwd=ROOT, check=True, capture_output=True, timeout=120,
    )  # fmt: skip
    installed = tmp_path_factory.mktemp("installed")
    with zipfile.ZipFile(next(built.iterdir())) as wheel:
        wheel.extractall(installed)
    with Up(tmp_path, "4", "--json", "--port", str(next_ports()), path=installed) as cluster:
        cluster.ready(5)
        found_on = psutil.Process(cluster.pids["n1"]).environ()["PYTHONPATH"].split(os.pathsep)
        assert set(found_on) == {str(installed)}
        cluster.process.terminate()
        assert cluster.end() == (0, "")
        assert not any(map(runs, cluster.pids.values()))
