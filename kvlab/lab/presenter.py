"""The presenter: a scenario as a talk, a scene at a time. Pure: it says which lines are due, and does none.

A scene is what is said, perhaps a question to the room, and the lines that show it. Without a question its
lines are done as soon as it is said; with one they wait until the room has made up its mind, and the answer
is given when they are done.

    presenter = Presenter(scenes(scenario))
    while lines := presenter.due: ...       do them, then presenter.done() or presenter.failed(why)
    presenter.next()                        when the person says so: reveal, or the next scene

To go back is to begin again: the lines of all scenes before the one asked for are due once more, on a
cluster that has just been started, and nothing is said or asked until they are done.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, TypeAlias

import msgspec

from kvlab.script.commands import Check, Delete, Expect, Get, Predict, Put, Say, WaitUntil
from kvlab.script.parse import Line, Scenario
from kvlab.script.run import together
from kvlab.script.session import Failure

Phase: TypeAlias = Literal["asked", "doing", "failed", "done"]
"""asked: the question stands. doing: lines are due. failed: one of them fell short. done: all is shown."""

JUDGEMENTS = (Expect, WaitUntil, Check)
OPERATIONS = (Put, Get, Delete)

Group: TypeAlias = tuple[Line, ...]
"""Lines that are begun at once: one, or a timeline."""


class Scene(msgspec.Struct, frozen=True):
    """One step of the talk."""

    said: tuple[str, ...] = ()
    question: str = ""
    answer: str = ""
    groups: tuple[Group, ...] = ()


def scenes(scenario: Scenario) -> tuple[Scene, ...]:
    """The scenario in scenes: each begins where something is said or asked after lines were done."""
    found = [Scene()]
    for lines in together(scenario.lines):
        last, command = found[-1], lines[0].command
        match command:
            case Say(text):
                if last.groups or last.question:
                    found.append(Scene((text,)))
                else:
                    found[-1] = msgspec.structs.replace(last, said=(*last.said, text))
            case Predict(question, answer):
                if last.groups or last.question:
                    found.append(last := Scene())
                found[-1] = msgspec.structs.replace(last, question=question, answer=answer)
            case _:
                found[-1] = msgspec.structs.replace(last, groups=(*last.groups, tuple(lines)))
    return tuple(found)


def _all(lines: Group, kinds: tuple[type, ...]) -> bool:
    return all(isinstance(line.command, kinds) for line in lines)


class Presenter:
    """Where a talk stands."""

    def __init__(self, scenes: Sequence[Scene]) -> None:
        self.scenes = tuple(scenes)
        self.at = 0
        """Which scene it is, counting from 0."""
        self.phase: Phase = "doing"
        self.failure: Failure | None = None
        self.target: int | None = None
        """The scene that is being gone back to; None if what is done is shown to the room."""
        self.anew = False
        """Whether it is on its way from the start, on a new cluster."""
        self._group = 0
        self._enter(0)

    @property
    def scene(self) -> Scene:
        return self.scenes[self.at]

    @property
    def due(self) -> Group:
        """The lines that are to be done now; () where it is the person's turn."""
        return self.scene.groups[self._group] if self.phase == "doing" else ()

    @property
    def judged_next(self) -> bool:
        """Whether what comes after the lines that are due only looks at what they have done."""
        after = self.scene.groups[self._group + 1 : self._group + 2]
        return bool(after) and _all(after[0], JUDGEMENTS)

    @property
    def tried(self) -> Group:
        """The lines under way, or those that fell short."""
        return self.scene.groups[self._group] if self.phase in ("doing", "failed") else ()

    @property
    def shown(self) -> int:
        """The scene that the room is at, or on its way to."""
        return self.at if self.target is None else self.target

    # -- what came of the lines ------------------------------------------------------------------

    def done(self) -> None:
        """What was due has been done, and holds."""
        self._group += 1
        self._settle()

    def failed(self, failure: Failure) -> None:
        """What was due does not hold."""
        self.phase, self.failure = "failed", failure

    # -- what the person wants -------------------------------------------------------------------

    def why_not_next(self) -> str:
        """Why `next` makes no sense now; "" if it does."""
        match self.phase:
            case "doing":
                return "the cluster is still at it"
            case "failed":
                return "this step fell short; r tries it again, c goes on without it"
            case "done" if self.at == len(self.scenes) - 1:
                return "this was the last step"
            case _:
                return ""

    def next(self) -> None:
        """Let the answer be seen, or begin the next scene; nothing where `why_not_next` has a reason."""
        if self.why_not_next():
            return
        if self.phase == "asked":
            self.phase = "doing"
            self._settle()
        else:
            self._enter(self.at + 1)

    def retry(self) -> None:
        """Do again what fell short, from the operation on that it judges."""
        if self.phase != "failed":
            return
        self.phase, self.failure = "doing", None
        judged = self._group
        while judged > 0 and _all(self.scene.groups[judged], JUDGEMENTS):
            judged -= 1
        if _all(self.scene.groups[judged], OPERATIONS):  # anything else would be done a second time
            self._group = judged

    def go_on(self) -> None:
        """Leave out what fell short."""
        if self.phase == "failed":
            self.phase, self.failure = "doing", None
            self.done()

    def back_to(self, scene: int) -> None:
        """Begin again, on a new cluster, with all that comes before this scene."""
        self.target, self.failure, self.anew = min(max(0, scene), len(self.scenes) - 1), None, True
        self.at, self._group, self.phase = 0, 0, "doing"
        self._settle()

    def go_to(self, scene: int) -> bool:
        """Begin any other scene; True if that takes a new cluster. Ahead, all lines up to it are due now."""
        if scene <= self.at or self.phase in ("doing", "failed"):
            self.back_to(scene)
            return True
        self.target, self.phase = min(scene, len(self.scenes) - 1), "doing"
        self._settle()
        return False

    # -- from scene to scene ---------------------------------------------------------------------

    def _enter(self, scene: int) -> None:
        """Begin a scene: with its question, or at once with its lines."""
        self.at, self._group = scene, 0
        self.phase = "asked" if self.scene.question else "doing"
        self._settle()

    def _settle(self) -> None:
        """Find the lines that are due, or see that it is the person's turn."""
        if self.target is None:
            if self.phase == "doing" and self._group == len(self.scene.groups):
                self.phase = "done"
            return
        while self.at < self.target and self._group == len(self.scene.groups):
            self.at, self._group = self.at + 1, 0
        if self.at == self.target:
            self.target, self.anew = None, False
            self._enter(self.at)
