"""Actions say what they do as a line of the scenario language, and why they cannot be used."""

from __future__ import annotations

import msgspec
import pytest

from kvlab.config import NODES_MAX
from kvlab.lab.actions import ACTIONS, Action, find, hints, typed
from kvlab.lab.narrate import sentences
from kvlab.lab.view import Moment, View
from kvlab.messages import NodeId
from kvlab.script.parse import ScriptError, parse_line
from kvlab.trace.events import AnyEvent, LineFailed, NodePaused, ScriptLine
from tests.lab.stories import births, cut, death, put, under_way, view

WELL = view(births(), put())
WOUNDED = view(births(), put(), death("n3", 400), [NodePaused(401, NodeId("n2"))], cut(402))


@pytest.mark.parametrize("seen", [WELL, WOUNDED], ids=["well", "wounded"])
@pytest.mark.parametrize(
    "action", [action for action in ACTIONS if action.line], ids=lambda action: action.name
)
def test_every_line_that_an_action_writes_is_understood(action: Action, seen: View) -> None:
    assert action.line is not None
    seen = msgspec.structs.replace(seen, wire=view(births(), under_way()).wire)
    for node in action.nodes(seen) if action.needs_node else [NodeId("")]:
        line = action.line(seen, node)
        assert str(parse_line(line)) == line


def test_no_two_actions_share_a_key_or_a_name() -> None:
    assert len({action.key for action in ACTIONS}) == len({action.name for action in ACTIONS}) == len(ACTIONS)


def test_every_action_can_be_typed_and_no_two_are_typed_alike() -> None:
    for action in ACTIONS:
        if action.line is None and action.name not in ("command", "save"):
            assert typed(action.word) is action
            with pytest.raises(ScriptError):
                parse_line(action.word)  # else the cluster would no longer hear its own line
    words = [action.word for action in ACTIONS if action.word]
    assert len(set(words)) == len(words)


def test_nodes_offered_are_those_in_the_right_state() -> None:
    assert find("kill").nodes(WOUNDED) == ["n1", "n2", "n4", "n5"]
    assert find("restart").nodes(WOUNDED) == ["n3"]
    freeze = find("freeze").line
    assert freeze is not None
    assert (freeze(WOUNDED, "n2"), freeze(WOUNDED, "n1")) == ("resume n2", "pause n1")


def test_each_put_writes_the_next_value() -> None:
    line = find("put").line
    assert line is not None
    assert line(view(births()), "") == "put cart:42 milk"
    assert line(WELL, "") == "put cart:42 bread"
    put_line = WELL.log[-1]
    assert isinstance(put_line, ScriptLine)
    undone = LineFailed(301, NodeId(""), put_line.line, put_line.at_ms, "not done")
    assert line(view(births(), put(), [undone]), "") == "put cart:42 milk"
    perhaps = LineFailed(301, NodeId(""), put_line.line, put_line.at_ms, "unknown")
    assert line(view(births(), put(), [perhaps]), "") == "put cart:42 bread"


@pytest.mark.parametrize(
    ("name", "seen", "why"),
    [
        ("restart", WELL, "no node is down"),
        ("heal", WELL, "the network is well"),
        ("partition", WOUNDED, "already"),
        ("step", WELL, "--world sim"),
        ("put", view(births(), ready=False), "still starting"),
        ("slow", view(births(1), stage=1, nodes=1), "one node"),
        ("add", view(births(1), stage=1, nodes=1), "no ring"),
        ("remove", view(births(1), stage=1, nodes=1), "no ring"),
        ("add", view(births(NODES_MAX), nodes=NODES_MAX), "12 nodes are all"),
        ("earlier", WELL, "no other operation"),
        ("show_messages", view(births(1), stage=1, nodes=1), "nothing travels"),
    ],
)
def test_what_cannot_be_used_says_why(name: str, seen: View, why: str) -> None:
    assert why in find(name).refusal(seen)


def test_one_node_is_not_spoken_of_as_many() -> None:
    assert sentences(view([births(1)[0], births(1)[1]], stage=1, nodes=1, latest=None))[0] == "1 node is up."


def test_the_footer_shows_every_state_of_every_key() -> None:
    assert {hint.key for hint in hints(WELL)} >= {
        "w",
        "g",
        "k",
        "r",
        "z",
        "p",
        "h",
        "a",
        "x",
        "s",
        ":",
        "?",
        "q",
    }
    assert "n" not in {hint.key for hint in hints(WELL)}
    assert "n" in {hint.key for hint in hints(view(births(), moment=Moment(kind="sim")))}


@pytest.mark.parametrize(
    ("stories", "happened", "next_key"),
    [
        ([births(), put()], "3 of 3 replicas hold it: n3, n4 and n2", "Press k and 2"),
        ([births(), put()[:5]], "n1 writes cart:42 and waits for n3", "press k"),
        ([births(), put(silent="n3")], "perhaps written, perhaps not. n3 did not answer", "Press w"),
        ([births(), put(), death("n3", 400)], "n3 was killed", "r and 3"),
        ([births(), put(), cut(400)], "n1 n2 | n3 n4 n5", "h to heal"),
        ([births(), [NodePaused(400, NodeId("n2"))]], "n2 is paused", "z and 2"),
    ],
)
def test_two_sentences_say_what_happened_and_what_to_press(
    stories: list[list[AnyEvent]], happened: str, next_key: str
) -> None:
    what, try_next = sentences(view(*stories))
    assert happened in what
    assert next_key in try_next
