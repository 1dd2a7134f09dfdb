"""The presenter as a state machine: which lines are due, and whose turn it is. No cluster runs here."""

from __future__ import annotations

from kvlab.lab.presenter import Group, Phase, Presenter, scenes
from kvlab.script.parse import parse
from kvlab.script.session import Failure

TALK = """
cluster stage=4
say     "One."
say     "Still one."
put     k a
expect  result = ok
predict "Two?" = "Yes."
kill    n1
expect  get k = a
say     "Three."
predict "Really?" = "No."
at 0ms  put k b
at 5ms  put k c
say     "Four, and the end."
"""
WRONG = Failure("get k = a", "missing")


def talk(text: str = TALK) -> Presenter:
    return Presenter(scenes(parse(text)))


def lines(group: Group) -> list[str]:
    return [str(line.command) for line in group]


def phase(presenter: Presenter) -> Phase:
    """Asked for anew: what it was, a type checker would remember."""
    return presenter.phase


def do(presenter: Presenter) -> list[str]:
    """A driver for which everything holds: does all that is due, and returns what that was."""
    done = []
    while group := presenter.due:
        done += lines(group)
        presenter.done()
    return done


def at(presenter: Presenter, scene: int) -> Presenter:
    """Lead it there."""
    while presenter.at < scene:
        do(presenter)
        presenter.next()
    return presenter


def test_a_scene_begins_where_something_is_said_or_asked_after_lines_were_done() -> None:
    found = scenes(parse(TALK))
    assert [scene.said for scene in found] == [
        ("One.", "Still one."),
        (),
        ("Three.",),
        ("Four, and the end.",),
    ]
    assert [scene.question for scene in found] == ["", "Two?", "Really?", ""]
    assert [len(scene.groups) for scene in found] == [2, 2, 1, 0]


def test_lines_of_a_timeline_are_due_together() -> None:
    assert [len(group) for group in scenes(parse(TALK))[2].groups] == [2]


def test_the_first_scene_is_done_without_asking_and_then_it_is_the_persons_turn() -> None:
    presenter = talk()
    assert (presenter.at, phase(presenter)) == (0, "doing")
    assert presenter.why_not_next() == "the cluster is still at it"
    presenter.next()
    assert presenter.at == 0
    assert do(presenter) == ["put k a", "expect result = ok"]
    assert phase(presenter) == "done"


def test_a_question_is_asked_first_then_its_lines_are_done_and_then_it_is_answered() -> None:
    presenter = at(talk(), 1)
    assert phase(presenter) == "asked"
    assert presenter.due == ()
    presenter.next()
    assert (presenter.at, phase(presenter)) == (1, "doing")
    assert do(presenter) == ["kill n1", "expect get k = a"]
    assert phase(presenter) == "done"


def test_a_scene_of_words_alone_is_done_at_once_and_nothing_follows_the_last() -> None:
    presenter = at(talk(), 3)
    assert (phase(presenter), presenter.due) == ("done", ())
    assert presenter.why_not_next() == "this was the last step"
    presenter.next()
    assert presenter.at == 3


def test_what_fell_short_waits_for_the_person_and_can_be_left_out() -> None:
    presenter = at(talk(), 1)
    presenter.next()
    presenter.done()
    presenter.failed(WRONG)
    assert (phase(presenter), presenter.failure, presenter.due) == ("failed", WRONG, ())
    presenter.next()
    assert phase(presenter) == "failed", "an arrow alone must not pass over it"
    presenter.go_on()
    assert (phase(presenter), presenter.failure) == ("done", None)


def test_what_looks_at_the_cluster_is_looked_at_again() -> None:
    presenter = at(talk(), 1)
    presenter.next()
    presenter.done()
    presenter.failed(WRONG)
    presenter.retry()
    assert do(presenter) == ["expect get k = a"], "and the kill is not done twice"


def test_what_judges_an_operation_is_tried_again_from_that_operation_on() -> None:
    presenter = talk()
    presenter.done()
    presenter.failed(WRONG)
    presenter.retry()
    assert do(presenter) == ["put k a", "expect result = ok"]
    assert phase(presenter) == "done"


def test_going_back_does_everything_before_that_scene_and_asks_nothing_on_the_way() -> None:
    presenter = at(talk(), 3)
    presenter.back_to(2)
    assert (presenter.at, presenter.shown, presenter.target) == (0, 2, 2)
    assert do(presenter) == ["put k a", "expect result = ok", "kill n1", "expect get k = a"]
    assert (presenter.at, presenter.target, phase(presenter)) == (2, None, "asked")
    presenter.next()
    assert do(presenter) == ["at 0ms put k b", "at 5ms put k c"]


def test_going_back_to_the_first_scene_begins_it_anew_and_before_it_there_is_none() -> None:
    for scene in (0, -1):
        presenter = at(talk(), 1)
        presenter.back_to(scene)
        assert (presenter.at, presenter.target, phase(presenter)) == (0, None, "doing")
        assert do(presenter) == ["put k a", "expect result = ok"]


def test_what_falls_short_on_the_way_back_waits_for_the_person_too() -> None:
    presenter = at(talk(), 3)
    presenter.back_to(2)
    presenter.failed(WRONG)
    assert (phase(presenter), presenter.shown) == ("failed", 2)
    presenter.go_on()
    assert do(presenter) == ["expect result = ok", "kill n1", "expect get k = a"]
    assert (presenter.at, phase(presenter)) == (2, "asked")
    presenter.back_to(3)
    assert presenter.shown == 3
    do(presenter)
    assert (presenter.at, phase(presenter)) == (3, "done")


def test_one_can_go_ahead_on_the_same_cluster_and_all_in_between_is_done() -> None:
    presenter = talk()
    do(presenter)
    assert not presenter.go_to(2)
    assert not presenter.anew
    assert do(presenter) == ["kill n1", "expect get k = a"]
    assert (presenter.at, phase(presenter)) == (2, "asked")
    assert not presenter.go_to(3)
    assert do(presenter) == ["at 0ms put k b", "at 5ms put k c"]
    assert (presenter.at, phase(presenter)) == (3, "done")


def test_one_cannot_go_ahead_of_what_is_under_way_or_fell_short_but_on_a_new_cluster() -> None:
    presenter = talk()
    assert presenter.go_to(1)
    assert presenter.anew
    assert do(presenter) == ["put k a", "expect result = ok"]
    assert (presenter.at, phase(presenter), presenter.anew) == (1, "asked", False)
    presenter.next()
    presenter.failed(WRONG)
    assert presenter.go_to(2)
    assert presenter.failure is None
    assert do(presenter) == ["put k a", "expect result = ok", "kill n1", "expect get k = a"]
    assert presenter.go_to(2), "the same scene again"
