"""What a script asks is held against its stage before anything is started."""

from __future__ import annotations

from pathlib import Path

import pytest

from kvlab.errors import UserError
from kvlab.script.parse import ScriptError
from kvlab.script.rehearsal import read_scenario, understood

SCENARIOS = sorted((Path(__file__).parent / "scenarios").glob("*.scenario"))


def refused(text: str) -> ScriptError:
    with pytest.raises(ScriptError) as caught:
        understood(text, "x.scenario")
    return caught.value


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("expect hints total = 0", "stage 4 has no hints; stage 8 adds that"),
        ("expect repairs total = 0", "stage 4 has no repairs; stage 5 adds that"),
        ("expect overwritten k = v", "does not say what was overwritten; stage 2 does"),
        ("wait until siblings k = 2", "stage 6"),
        ("expect get k = a b", "stage 6"),
        ("put k v blind", "stage 6"),
        ("expect n1 sees n2 = alive", "stage 7"),
        ("expect result = QuorumNotReached", "stage 5"),
        ("expect result = NodeDwon", "the errors are"),
        ("kill n9", "there is no node 'n9'; the nodes are n1, n2, n3, n4, n5"),
        ("put k v via n6", "no node 'n6'"),
        ("expect replicas k = n1 n7 n2", "no node 'n7'"),
        ("partition n1 n2 | n3 n4", "n5 stands in no group"),
        ("kill k#4", "3 home replicas here"),
        ("add n3", "n3 is there already"),
        ("put k v w=2", "a number between them is a quorum"),
        ("get k r=2", "comes with stage 5"),
    ],
)
def test_what_stage_4_cannot_serve_is_refused_with_the_reason(line: str, said: str) -> None:
    error = refused(f"cluster stage=4 nodes=5 n=3\nheal\n{line}\n")
    assert [problem.number for problem in error.problems] == [3]
    assert said in str(error)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("cluster stage=4 resolve=union", "stage 6 adds it"),
        ("cluster stage=4 hints=on", "stage 8 adds it"),
        ("cluster stage=4 antientropy=on", "stage 9 adds it"),
        ("cluster stage=4 choice=cp", "stage 2 does"),
        ("cluster stage=10", "there is no stage 10"),
        ("cluster stage=1 nodes=3", "nodes=1, always"),
        ("cluster stage=3 n=3", "n=1, always"),
        ("cluster stage=4 nodes=40", "must be 3 to 12"),
        ("cluster stage=1\nslow n1 80ms", "no network"),
        ("cluster stage=1\nat 1s add n2", "no ring"),
        ("cluster stage=4\nlose Keep of w1 from n1 to n2", "chance=named"),
        ("cluster stage=4 chance=named\nlose Keeps of w1 from n1 to n2", "did you mean Keep?"),
        ("cluster stage=1\nadd n2", "no ring"),
        ("cluster stage=3\nput k v w=2", "one copy"),
        ("cluster stage=4 nodes=3\nget k via k#out", "is a replica of every key"),
    ],
)
def test_a_cluster_that_cannot_be_is_refused(text: str, said: str) -> None:
    assert said in str(refused(text))


def test_a_node_exists_from_the_line_that_adds_it() -> None:
    understood("cluster stage=4 nodes=3\nadd n4\nkill n4\nget k via k#out\n")
    assert refused("cluster stage=4 nodes=3\nkill n4\nadd n4\n").problems[0].number == 2


def test_mistakes_of_both_kinds_are_reported_together_in_the_order_of_the_lines() -> None:
    error = refused("cluster stage=4\nkill n9\nkil n1\nexpect hints total = 0\n")
    assert [problem.number for problem in error.problems] == [2, 3, 4]


@pytest.mark.parametrize("path", SCENARIOS, ids=lambda path: path.stem)
def test_the_example_scenarios_are_understood(path: Path) -> None:
    assert len(read_scenario(path).commands) > 10


def test_a_file_that_is_not_there_is_a_mistake_not_a_crash(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"expected a \.scenario file"):
        read_scenario(tmp_path / "none.scenario")
