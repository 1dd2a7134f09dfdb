"""kvlab doctor finds what is wrong with a machine, says what to do, and touches nothing."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
from click.testing import CliRunner

from kvlab import doctor
from kvlab.doctor import Finding, Verdict
from tests.process.up import Up

# -- versions -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("version", "bounds", "fits"),
    [
        ("8.2.8", ">=8.2,<9", True),
        ("8.2", ">=8.2,<9", True),
        ("8", ">=8.0,<9", True),
        ("8.1.9", ">=8.2,<9", False),
        ("9.0.0", ">=8.2,<9", False),
        ("9.0rc1", "<9,>=8.2", False),
        ("10.1", ">=9,<11", True),
        ("6.0.0", ">=6,<8", True),
        ("1", "", True),
    ],
)
def test_a_version_fits_its_bounds(version: str, bounds: str, fits: bool) -> None:
    assert doctor.satisfies(version, bounds) is fits


@pytest.mark.parametrize("bounds", ["~=1.2", "==1.2", "!=1.2", "<=2", "1.2"])
def test_a_bound_it_cannot_read_is_an_error_and_not_a_yes(bounds: str) -> None:
    with pytest.raises(ValueError, match="expected >=VERSION or <VERSION"):
        doctor.satisfies("1.2", bounds)


def versions(**installed: str) -> Callable[[str], str | None]:
    return installed.get


def test_a_dependency_that_is_missing_or_too_old_fails_and_names_the_command() -> None:
    findings = list(doctor.check_dependencies(["click<9,>=8.1", "mmh3<6,>=5"], versions(click="7.1")))
    assert [finding.verdict for finding in findings] == [Verdict.FAILED, Verdict.FAILED]
    assert "7.1 does not fit <9,>=8.1" in findings[0].says
    assert "pip install 'mmh3<6,>=5'" in findings[1].fix


def test_without_uvloop_the_nodes_are_only_slower() -> None:
    requirement = 'uvloop<1,>=0.21; sys_platform != "win32"'
    (finding,) = doctor.check_dependencies([requirement], versions())
    assert finding.verdict is Verdict.WARNING
    assert "slower" in finding.says
    (finding,) = doctor.check_dependencies([requirement], versions(uvloop="0.23.0"))
    assert finding == Finding("uvloop", Verdict.OK, "0.23.0")


def test_a_clone_that_was_never_installed_is_told_so() -> None:
    (finding,) = doctor.check_dependencies([])
    assert finding.verdict is Verdict.WARNING
    assert "pip install -e ." in finding.fix


@pytest.mark.parametrize(
    ("version", "verdict"), [((3, 10), Verdict.FAILED), ((3, 13), Verdict.OK), ((3, 14), Verdict.FAILED)]
)
def test_pythons_on_which_kvlab_was_not_tested_fail(version: tuple[int, int], verdict: Verdict) -> None:
    assert doctor.check_python(version).verdict is verdict


# -- the machine --------------------------------------------------------------------------------


def test_this_machine_carries_bytes_and_pauses_children() -> None:
    assert doctor.check_loopback().verdict is Verdict.OK
    assert [finding.verdict for finding in doctor.check_child()] == [Verdict.OK, Verdict.OK]


def test_the_child_it_starts_is_gone_afterwards() -> None:
    before = {child.pid for child in psutil.Process().children()}
    list(doctor.check_child())
    assert {child.pid for child in psutil.Process().children()} <= before


def test_a_python_that_cannot_be_started_or_dies_at_once_is_a_failure(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(sys, "executable", str(tmp_path / "no-python"))
    (finding,) = doctor.check_child()
    assert finding.verdict is Verdict.FAILED
    dies = tmp_path / "dies"
    dies.write_text("#!/bin/sh\nexit 3\n")
    dies.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(dies))
    (finding,) = doctor.check_child()
    assert finding.verdict is Verdict.FAILED
    assert "try it by hand" in finding.fix


def test_a_taken_port_is_named_and_another_suggested() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        finding = doctor.check_ports(first=port, count=1)
    assert finding.verdict is Verdict.WARNING
    assert str(port) in finding.says
    assert "--port" in finding.fix


@pytest.mark.parametrize(
    ("limit", "verdict"),
    [(None, Verdict.OK), (1024, Verdict.OK), (100, Verdict.WARNING), (20, Verdict.FAILED)],
)
def test_few_file_descriptors_are_a_warning_and_too_few_a_failure(
    limit: int | None, verdict: Verdict
) -> None:
    assert doctor.check_open_files(limit).verdict is verdict


@pytest.mark.parametrize(
    ("free_mb", "verdict"),
    [(8000, Verdict.OK), (400, Verdict.WARNING), (100, Verdict.FAILED), (None, Verdict.WARNING)],
)
def test_little_memory_is_a_warning_and_too_little_a_failure(free_mb: int | None, verdict: Verdict) -> None:
    assert doctor.check_memory(free_mb).verdict is verdict


def test_redis_cli_is_optional() -> None:
    assert doctor.check_redis_cli(lambda _: None).verdict is Verdict.WARNING
    assert doctor.check_redis_cli(lambda name: f"/bin/{name}").says == "/bin/redis-cli"


# -- the terminal -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("columns", "lines", "verdict"),
    [(80, 24, Verdict.OK), (79, 24, Verdict.WARNING), (80, 23, Verdict.WARNING), (40, 10, Verdict.WARNING)],
)
def test_a_terminal_below_80x24_is_a_warning(columns: int, lines: int, verdict: Verdict) -> None:
    assert doctor.check_terminal(True, columns, lines).verdict is verdict
    assert doctor.check_terminal(False, columns, lines).verdict is Verdict.OK


def test_who_has_a_spoilt_terminal_reads_how_to_mend_it() -> None:
    assert "type: reset" in doctor.check_terminal(True, 80, 24).says
    assert "`reset`" in CliRunner().invoke(doctor.doctor_command, ["--help"]).output


@pytest.mark.parametrize(
    ("env", "verdict"),
    [
        ({"TERM": "xterm-256color"}, Verdict.OK),
        ({"TERM": "xterm", "COLORTERM": "truecolor"}, Verdict.OK),
        ({"TERM": "vt100"}, Verdict.WARNING),
        ({"TERM": "dumb"}, Verdict.WARNING),
        ({}, Verdict.WARNING),
        ({"TERM": "dumb", "NO_COLOR": "1"}, Verdict.OK),
    ],
)
def test_few_colours_are_a_warning_unless_asked_for(env: dict[str, str], verdict: Verdict) -> None:
    assert doctor.check_colours(True, env).verdict is verdict


def test_an_output_that_is_not_utf8_is_a_warning() -> None:
    assert doctor.check_utf8("utf-8").verdict is Verdict.OK
    assert doctor.check_utf8("UTF8").verdict is Verdict.OK
    assert doctor.check_utf8("ANSI_X3.4-1968").verdict is Verdict.WARNING


# -- leftovers ----------------------------------------------------------------------------------

# A stand-in for a node: the doctor knows one by its command line. It says its process id and waits
# until its standard input closes.
FAKE_NODE = "import os, sys; print(os.getpid(), flush=True); sys.stdin.read()"


def fake_node(tmp_path: Path) -> list[str]:
    program = tmp_path / "fake_node.py"
    program.write_text(FAKE_NODE)
    return [sys.executable, str(program), doctor.NODE_MODULE]


def test_a_node_of_a_running_cluster_is_no_leftover(tmp_path: Path) -> None:
    with subprocess.Popen(
        fake_node(tmp_path), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as node:
        assert node.stdout is not None
        node.stdout.readline()
        assert node.pid in {process.pid for process in doctor.node_processes() or ()}
        assert not doctor.is_orphan(psutil.Process(node.pid))


def test_a_node_whose_starter_is_gone_is_named_and_not_killed(tmp_path: Path) -> None:
    # A shell starts it in the background and ends; our end of its standard input keeps it waiting.
    line = 'exec 3<&0; "$0" "$1" "$2" <&3 &'
    shell = subprocess.Popen(
        ["/bin/sh", "-c", line, *fake_node(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with shell:
        assert shell.stdin is not None
        assert shell.stdout is not None
        orphan = psutil.Process(int(shell.stdout.readline()))
        shell.wait(timeout=10)
        finding = doctor.check_leftovers()
        assert finding.verdict is Verdict.WARNING
        assert str(orphan.pid) in finding.fix.partition("kill ")[2].split()
        assert orphan.is_running()
        shell.stdin.close()
        orphan.wait(timeout=10)


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder for temporary files."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def dead_pid() -> int:
    with subprocess.Popen(["/bin/true"]) as child:
        pass
    return child.pid


def logs(folder: Path, *names: str) -> Path:
    folder.mkdir()
    for name in names or ("n1.log", "n12.log"):
        (folder / name).write_text("it said this")
    return folder


def test_logs_of_a_cluster_that_is_gone_are_named_and_removed_only_when_asked(temporary: Path) -> None:
    assert doctor.check_logs() == Finding("old logs", Verdict.OK, "none")
    left = logs(temporary / f"kvlab-{dead_pid()}-a1_b")
    finding = doctor.check_logs()
    assert finding.verdict is Verdict.WARNING
    assert str(left) in finding.says
    assert "kvlab doctor --clean" in finding.fix
    assert left.exists()
    result = CliRunner().invoke(doctor.doctor_command, ["--clean"])
    assert (result.exit_code, result.output) == (0, f"removed {left}\n")
    assert list(temporary.iterdir()) == []
    assert "Nothing to remove" in CliRunner().invoke(doctor.doctor_command, ["--clean"]).output


def test_what_is_not_surely_ours_and_dead_is_never_removed(temporary: Path) -> None:
    dead = dead_pid()
    logs(temporary / f"kvlab-{os.getpid()}-alive")
    logs(temporary / f"kvlab-{dead}-diary", "n1.log", "diary.txt")
    logs(temporary / "kvlab-notes")
    logs(temporary / f"mykvlab-{dead}-x")
    (temporary / f"kvlab-{dead}-file").write_text("")
    logs(temporary / "elsewhere")
    (temporary / f"kvlab-{dead}-link").symlink_to(temporary / "elsewhere")
    (temporary / f"kvlab-{dead}-nested").mkdir()
    (temporary / f"kvlab-{dead}-nested" / "n1.log").mkdir()
    before = sorted(temporary.rglob("*"))
    assert doctor.check_logs().verdict is Verdict.OK
    list(doctor.clean())
    assert sorted(temporary.rglob("*")) == before


def test_a_process_that_only_has_the_number_of_the_maker_does_not_keep_its_logs(temporary: Path) -> None:
    left = logs(temporary / f"kvlab-{os.getpid()}-x")
    long_ago = psutil.Process().create_time() - 3600
    os.utime(left, (long_ago, long_ago))
    assert str(left) in doctor.check_logs().says


def test_a_killed_cluster_leaves_logs_that_the_doctor_finds(temporary: Path) -> None:
    with Up(temporary, "1", "--json") as cluster:
        cluster.ready(1)
        assert doctor.check_logs().verdict is Verdict.OK  # it lives
        cluster.process.kill()
        cluster.process.wait()
        cluster.assert_no_process_is_left()
    (left,) = temporary.iterdir()
    assert str(left) in doctor.check_logs().says
    assert list(doctor.clean()) == [f"removed {left}"]


# -- the command --------------------------------------------------------------------------------


def test_the_exit_code_is_0_with_warnings_and_1_with_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    fine = Finding("python", Verdict.OK, "3.12")
    missing = Finding("redis-cli", Verdict.WARNING, "not there", "install it")
    broken = Finding("loopback", Verdict.FAILED, "down", "bring it up")
    runner = CliRunner()

    monkeypatch.setattr(doctor, "examine", lambda: iter([fine, missing]))
    result = runner.invoke(doctor.doctor_command)
    assert result.exit_code == 0
    assert "-> install it" in result.output

    monkeypatch.setattr(doctor, "examine", lambda: iter([fine, broken, missing]))
    result = runner.invoke(doctor.doctor_command)
    assert result.exit_code == 1
    assert "will not work here yet" in result.output

    result = runner.invoke(doctor.doctor_command, ["--json"])
    assert result.exit_code == 1
    report = json.loads(result.output)
    assert report["verdict"] == "failed"
    assert report["findings"][1] == {
        "check": "loopback",
        "verdict": "failed",
        "says": "down",
        "fix": "bring it up",
    }


def test_a_whole_examination_of_this_machine_finds_nothing_that_fails() -> None:
    findings = list(doctor.examine())
    assert [finding for finding in findings if finding.verdict is Verdict.FAILED] == []
    assert all(bool(finding.fix) == (finding.verdict is not Verdict.OK) for finding in findings)
    assert len({finding.check for finding in findings}) == len(findings)


def test_the_doctor_needs_next_to_nothing_of_what_it_looks_for() -> None:
    """Otherwise it could not say what is missing."""
    looked_for = {"mmh3", "psutil", "hiredis", "textual"}
    code = f"import sys, kvlab.doctor; print({looked_for} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"
