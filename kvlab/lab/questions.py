"""Questions: what was asked in one operation, of whom, and what came of it; the bars of the waterfall.

From the events alone. A question is a message that answers none; its answer is the message that names it.
What a coordinator that is itself a replica does there takes no message: it is a question to itself.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from kvlab.lab.view import Shot, View
from kvlab.messages import NodeId
from kvlab.trace.events import (
    Delivered,
    Hinted,
    MessageDropped,
    OpEnded,
    Removed,
    Repaired,
    Sent,
    Stored,
)

REFUSALS = ("Refused", "StaleRing")


class Question(msgspec.Struct):
    """One question. Times are in ms since the world began, None for what has not happened."""

    node: NodeId
    """Who was asked."""
    by: NodeId
    kind: str
    asked_ms: float
    arrived_ms: float | None = None
    replied_ms: float | None = None
    answered_ms: float | None = None
    reply: str = ""
    """The type of the answer."""
    lost_ms: float | None = None
    lost: str = ""
    """Why the question, or its answer, never arrives."""
    owner: NodeId | None = None
    """For whom a stand-in was asked to keep or find a hint."""
    repair: bool = False
    """It brought a replica up to date that a read had found behind."""

    @property
    def refused(self) -> bool:
        return self.reply in REFUSALS

    @property
    def local(self) -> bool:
        return self.node == self.by

    def last_ms(self) -> float:
        """The last that is known of it."""
        times = (self.asked_ms, self.arrived_ms, self.replied_ms, self.answered_ms, self.lost_ms)
        return max(time for time in times if time is not None)


def questions_of(op: Shot) -> list[Question]:
    """In the order of asking."""
    asked: dict[str, Question] = {}
    replies: dict[str, Question] = {}
    own: list[Question] = []
    for event in op.events:
        match event:
            case Sent(answers="") as sent:
                asked[sent.msg] = Question(sent.to, sent.node, sent.kind, sent.at_ms)
            case Sent() if event.answers in asked:
                question = asked[event.answers]
                question.replied_ms, question.reply = event.at_ms, event.kind
                replies[event.msg] = question
            case Delivered() if event.msg in asked:
                question = asked[event.msg]
                question.arrived_ms = question.arrived_ms or event.at_ms
            case Delivered() if event.msg in replies:
                question = replies[event.msg]
                question.answered_ms = question.answered_ms or event.at_ms
            case MessageDropped() if (found := asked.get(event.msg) or replies.get(event.msg)) is not None:
                found.lost_ms, found.lost = event.at_ms, event.why
            case Stored() | Removed() if _by_itself(op, event, asked.values()) and not own:
                own.append(Question(op.via, op.via, "", op.started_ms, answered_ms=event.at_ms, reply="Kept"))
            case Hinted(what="kept" | "merged"):
                _keeps(asked.values(), event)
            case Repaired():
                _repairs(asked.values(), event)
            case _:
                pass
    return sorted([*own, *asked.values()], key=lambda question: question.asked_ms)


def _by_itself(op: Shot, event: Stored | Removed, asked: Iterable[Question]) -> bool:
    """Whether the coordinator has written this without being asked by a peer."""
    return event.node == op.via and op.kind != "get" and all(one.node != op.via for one in asked)


def _keeps(asked: Iterable[Question], event: Hinted) -> None:
    """The stand-in says for whom it keeps what it was asked to keep."""
    for question in asked:
        if question.kind == "KeepHint" and question.node == event.node and question.owner is None:
            question.owner = event.owner
            return


def _repairs(asked: Iterable[Question], event: Repaired) -> None:
    """The last copy that was sent to that peer has brought it up to date."""
    sent = [question for question in asked if (question.by, question.node) == (event.node, event.peer)]
    if sent:
        sent[-1].repair = True


def ended(op: Shot) -> OpEnded | None:
    return next((event for event in op.events if isinstance(event, OpEnded)), None)


def need(view: View) -> int | None:
    """From how many replicas the operation shown has to hear, as far as the cluster says so."""
    if view.op is None or not view.stage.quorum:
        return None
    return view.r if view.op.kind == "get" else view.w


SAME_TURN_MS = 1.0
"""What arrives so soon after the decisive answer may be told before the coordinator has acted on that."""


def enough(op: Shot, questions: Iterable[Question], need: int | None = None) -> Question | None:
    """The question whose answer let the coordinator answer its client; None if it has not said ok.

    `need` is how many replicas it has to hear from, if that is known: that answer decides, also if others
    came in the same moment. A request may have had a number of its own: `need` alone will not do.
    """
    end = ended(op)
    if end is None or end.outcome != "ok":
        return None
    counted = [
        question
        for question in questions
        if question.by == op.via
        and question.answered_ms is not None
        and question.answered_ms <= end.at_ms
        and not question.refused
    ]
    counted.sort(key=lambda question: question.answered_ms or 0.0)
    if not counted:
        return None
    last = counted[-1]
    same = [question for question in counted if question.kind == last.kind or question.local]
    if need is not None and need < len(same):
        decisive = same[need - 1]
        if (last.answered_ms or 0.0) - (decisive.answered_ms or 0.0) <= SAME_TURN_MS:
            return decisive
    return last
