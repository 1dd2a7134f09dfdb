"""Shrink: leave out of a failing plan whatever it fails without.

Source: Zeller and Hildebrandt 2002, "Simplifying and Isolating Failure-Inducing Input": ddmin, which leaves
    out halves, then quarters, and so on down to single parts.
Invariant: what is left fails in the same way as the whole did, and no longer does with any one part less.
It works because messages draw their fate by their names (world/sim/network.py): leaving out an operation
renumbers nothing, and the messages of the others fare as before.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

import msgspec

from kvlab.fuzz.judge import Judged, MakeWorld, judge
from kvlab.fuzz.plan import Plan
from kvlab.script.commands import At, Delete, Get, LoseMessage, Put
from kvlab.script.conditions import NodeName
from kvlab.trace import events
from kvlab.world.sim import SimWorld

T = TypeVar("T")

RUNS_MAX = 600
"""Enough for every failure met so far, and a bound on how long one waits."""


def shrink(failing: Judged, make_world: MakeWorld = SimWorld) -> Judged:
    """The same failure, smaller; with its events."""
    return _Shrinker(failing, make_world).run()


class _Shrinker:
    def __init__(self, failing: Judged, make_world: MakeWorld) -> None:
        self.failing, self.make_world = failing, make_world
        self.runs = 0

    def run(self) -> Judged:
        plan = msgspec.structs.replace(self.failing.plan, checks=self._check_alone())
        if not self._fails(plan):
            plan = self.failing.plan  # an earlier check's reads had a part in it
        plan = self._smaller(plan)
        plan = self._smaller(self._by_message(plan))
        return judge(plan, self.make_world, recorded=True)

    def _check_alone(self) -> tuple[str, ...]:
        checks = self.failing.plan.checks
        return (self.failing.claim,) if self.failing.claim in checks else checks

    def _fails(self, plan: Plan) -> bool:
        self.runs += 1
        return self.runs <= RUNS_MAX and judge(plan, self.make_world).same_failure(self.failing)

    def _smaller(self, plan: Plan) -> Plan:
        """Without any operation, fault or lost message that it fails without."""
        while True:
            before = plan
            for part in ("episodes", "operations", "losses"):
                fails = self._fails_with(plan, part)
                plan = msgspec.structs.replace(plan, **{part: tuple(ddmin(getattr(plan, part), fails))})
            if plan == before:
                return plan

    def _fails_with(self, plan: Plan, part: str) -> Callable[[Sequence[object]], bool]:
        return lambda kept: self._fails(msgspec.structs.replace(plan, **{part: tuple(kept)}))

    def _by_message(self, plan: Plan) -> Plan:
        """With the messages that a partition or a lossy link swallowed named one by one, where that does."""
        told = judge(plan, self.make_world, recorded=True).events
        names = {_name_of(at) for at in plan.operations}
        lost = [
            LoseMessage(event.kind, event.op, NodeName(event.node), NodeName(event.to))
            for event in told
            if isinstance(event, events.MessageDropped)
            and event.op in names
            and event.why in ("loss", "partition")
        ]
        for episode in plan.episodes:
            named = msgspec.structs.replace(
                plan,
                episodes=tuple(other for other in plan.episodes if other != episode),
                losses=tuple(dict.fromkeys([*plan.losses, *lost])),
            )
            if self._fails(named):
                plan = named
        return plan


def _name_of(at: At) -> str | None:
    return at.command.name if isinstance(at.command, Put | Get | Delete) else None


def ddmin(parts: Sequence[T], fails: Callable[[Sequence[T]], bool]) -> list[T]:
    """As few of the parts as still fail. They fail all together, and that is not tried again."""
    kept = list(parts)
    size = len(kept)
    while size:
        at = 0
        while at < len(kept):
            rest = kept[:at] + kept[at + size :]
            if fails(rest):
                kept = rest
            else:
                at += size
        size //= 2
    return kept
