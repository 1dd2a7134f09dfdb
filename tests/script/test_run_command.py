"""`kvlab run`: its exit codes, and what a person or a program reads."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from kvlab.cli.run import run_command
from kvlab.script.rehearsal import read_scenario
from kvlab.trace.recording import Recording
from tests.worlds import fall_short

SCENARIOS = sorted((Path(__file__).parent / "scenarios").glob("*.scenario"))


def kvlab_run(path: Path, *options: str) -> Result:
    result = CliRunner().invoke(run_command, [str(path), *options])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


@pytest.fixture
def scenario(tmp_path: Path) -> Path:
    return tmp_path / "x.scenario"


def test_a_scenario_runs_on_real_processes() -> None:
    result = kvlab_run(SCENARIOS[0], "--world", "process")
    assert result.exit_code == 0, result.output


def test_the_example_scenarios_hold_on_real_processes() -> None:
    assert fall_short({path.stem: read_scenario(path) for path in SCENARIOS}) == {}


def test_a_scenario_that_holds_ends_with_0_and_a_line_for_each_command(scenario: Path) -> None:
    scenario.write_text('cluster stage=4\nsay "Watch."\nput cart:42 milk via n3\nexpect result = ok\n')
    result = kvlab_run(scenario, "--world", "sim")
    assert result.exit_code == 0
    lines = [line for line in result.stdout.splitlines() if line]
    assert lines[0] == "    Watch."
    assert lines[1].startswith("  0.00s  put cart:42 milk via n3")
    assert " ok " in lines[1]
    assert "all of it holds" in lines[-1]
    assert "\x1b" not in result.stdout  # no colour into a pipe


def test_a_scenario_that_does_not_hold_ends_with_1_and_the_command_that_repeats_it(scenario: Path) -> None:
    scenario.write_text("cluster stage=4\nput k milk\nexpect get k = bread\n")
    result = kvlab_run(scenario, "--world", "sim", "--seed", "7")
    assert result.exit_code == 1
    assert f"{scenario}, line 3: this does not hold" in result.stdout
    assert "expected  get k = bread" in result.stdout
    assert "found     milk via" in result.stdout
    assert "put k milk via n1" in result.stdout
    assert f"kvlab run {scenario} --world sim --seed 7" in result.stdout


def test_a_file_that_cannot_be_understood_ends_with_2_and_nothing_is_started(scenario: Path) -> None:
    scenario.write_text("cluster stage=4\nkil n1\nexpect hints total = 0\n")
    result = kvlab_run(scenario)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert "line 2: there is no command kil" in result.stderr
    assert "line 3: stage 4 has no hints; stage 8 adds that" in result.stderr
    assert "2 lines of" in result.stderr


def test_of_many_lines_that_cannot_be_understood_ten_are_shown_and_the_rest_counted(scenario: Path) -> None:
    scenario.write_text("cluster stage=4\n" + "kil n1\n" * 300)
    result = kvlab_run(scenario)
    assert result.exit_code == 2
    assert result.stderr.count("there is no command kil") == 10
    assert "... and 290 more lines like these" in result.stderr
    assert "300 lines of" in result.stderr


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (b'{"kvlab":1,"stage":4,"config":{}}\n' + b'{"type":"NodeKilled"}\n' * 50, "a recording of a run"),
        (b"\x7fELF\x02\x01\x01\0\0\n\0\xff\n" * 50, "no text"),
    ],
)
def test_a_file_that_cannot_have_been_meant_is_told_in_one_sentence(
    scenario: Path, data: bytes, what: str
) -> None:
    scenario.write_bytes(data)
    result = kvlab_run(scenario)
    assert result.exit_code == 2
    assert f"{scenario} is {what}" in result.stderr
    assert "begins with one such as `cluster stage=4`" in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_the_times_of_the_steps_and_of_the_whole_are_by_one_clock(scenario: Path) -> None:
    scenario.write_text("cluster stage=4\nwait 100ms\nwait 200ms\n")
    result = kvlab_run(scenario, "--world", "process")
    stamps = [float(seconds) for seconds in re.findall(r"(\d+\.\d\d)s", result.stdout)]
    assert len(stamps) == 4
    first, second, begun, ended = stamps
    assert begun <= first < second < ended
    assert first - begun < second - first  # the nodes take longer than that to start
    told = [json.loads(line) for line in kvlab_run(scenario, "--world", "sim", "--json").stdout.splitlines()]
    assert told[0]["at_ms"] == told[-1]["began_ms"]
    assert told[-1]["took_ms"] == told[0]["took_ms"] + told[1]["took_ms"]


def test_a_command_that_makes_no_sense_when_its_turn_comes_ends_with_2(scenario: Path) -> None:
    scenario.write_text("cluster stage=4\nresume n1\n")
    result = kvlab_run(scenario, "--world", "sim")
    assert result.exit_code == 2
    assert "line 2: cannot resume n1" in result.stderr


def test_a_file_that_is_not_there_ends_with_2(scenario: Path) -> None:
    result = kvlab_run(scenario)
    assert result.exit_code == 2
    assert "cannot read" in result.stderr


def test_json_is_one_object_a_line(scenario: Path) -> None:
    scenario.write_text('cluster stage=4\nsay "Watch."\nput k milk via k#1\nexpect get k = bread\n')
    result = kvlab_run(scenario, "--world", "sim", "--json")
    assert result.exit_code == 1
    told = [json.loads(line) for line in result.stdout.splitlines()]
    assert [one["type"] for one in told] == ["say", "step", "step", "step", "report"]
    assert told[2]["command"] == "put k milk via k#1"
    assert told[2]["outcome"] == "ok"
    assert list(told[2]["nodes"]) == ["k#1"]
    assert told[-1]["holds"] is False
    assert told[-1]["line"] == 4


def test_the_same_seed_prints_the_same_run_to_the_byte(scenario: Path) -> None:
    scenario.write_text("cluster stage=4\nload 100/s for 1s\nget key:1\n")
    first, again, other = (kvlab_run(scenario, "--world", "sim", "--seed", seed).stdout for seed in "112")
    assert first == again != other


def test_a_recording_that_finds_no_room_is_said_so_and_the_run_goes_on(
    scenario: Path, tmp_path: Path
) -> None:
    resource = pytest.importorskip("resource")
    puts = "".join(f"put k{i} {i}\n" for i in range(100))
    scenario.write_text(f"cluster stage=4 nodes=3\n{puts}expect get k99 = 99\n")
    file = tmp_path / "x.kvlab"
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, hard))
    try:
        result = kvlab_run(scenario, "--world", "process", "--record", str(file))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert result.exit_code == 0, result.output
    assert result.stderr == f"kvlab: the recording {file} ends before the run does: File too large\n"
    assert len(list(Recording(file))) > 10


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no disk that is always full")
def test_a_recording_that_cannot_even_begin_is_refused_before_anything_is_started(scenario: Path) -> None:
    scenario.write_text("cluster stage=4\nput k milk\n")
    result = kvlab_run(scenario, "--record", "/dev/full")
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr == "kvlab run: cannot record to /dev/full: No space left on device\n"
