"""What a check is written with: `watch` and `call` note what is done, `same` and `raises` judge it, `play`
and `hold` try the piece in a simulated cluster.

A check is a function `check_...` in a chapter's check_PIECE.py. The first paragraph of its docstring is the
rule that it holds the piece to; a paragraph that begins with "Likely:" says what people have misunderstood
whose piece fails it. docs/writing-a-chapter.md shows one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from textwrap import dedent
from typing import Any, NoReturn, TypeVar, cast

import msgspec

from kvlab.check.claims import Fault
from kvlab.config import ClusterConfig
from kvlab.course import mistakes
from kvlab.course.verdict import Failure
from kvlab.errors import KvlabError, Outcome
from kvlab.fuzz.judge import Kind, judge_seed
from kvlab.fuzz.plan import Plan
from kvlab.fuzz.shrink import shrink
from kvlab.fuzz.tell import CLIENT, Row, diagram, drawn, ended, operations
from kvlab.messages import NodeId, OpId
from kvlab.script.parse import Scenario
from kvlab.script.rehearsal import understood
from kvlab.script.run import Report, config_of, run_scenario
from kvlab.stages.pieces import NOT_YET
from kvlab.trace import events
from kvlab.trace.events import AnyEvent
from kvlab.world.sim import SimWorld

T = TypeVar("T")

TRAIL_MAX = 30
"""So many calls are shown at most, the last ones."""

OPERATIONS_DRAWN = 3
"""How many operations before a failure its diagram shows."""


class Setup(msgspec.Struct):
    """What the grader tells the checks: whose piece, and from which seed all chance comes."""

    piece: str | None = None
    seed: int = 1


setup = Setup()


class Unwritten(BaseException):
    """The reader has not written it yet; hypothesis need not look for a smaller example of that."""

    def __init__(self, error: NotImplementedError) -> None:
        super().__init__()
        self.error = error


class Wrong(AssertionError):
    """The piece did not do what it should have."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.why or failure.expected)
        self.failure = failure


# -- calls ---------------------------------------------------------------------------------------


class _Trail:
    """What was done so far, as one would type it."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.returned: tuple[Callable[..., object], object] | None = None
        """What the last call was of, and what it returned."""

    def last(self) -> str:
        return self.calls[-1] if self.calls else ""


_trail = _Trail()


def begin() -> None:
    """Forget what was done before."""
    global _trail
    _trail = _Trail()


def trail() -> tuple[str, ...]:
    """What was done so far."""
    calls = _trail.calls
    left_out = [f"... {len(calls) - TRAIL_MAX} calls before"] if len(calls) > TRAIL_MAX else []
    return (*left_out, *calls[-TRAIL_MAX:])


class Watched:
    """An object of the reader's whose every use is noted."""

    def __init__(self, made: object, name: str, noted: _Trail) -> None:
        self._made, self._name, self._noted = made, name, noted

    def __getattr__(self, attribute: str) -> Any:
        found = getattr(self._made, attribute)
        name = f"{self._name}.{attribute}"
        if not callable(found):
            if self._noted.last() != name:
                self._noted.calls.append(name)
            self._noted.returned = None
            return found
        return lambda *args, **kwargs: _noted(self._noted, name, found, args, kwargs)

    def __len__(self) -> int:
        self._noted.calls.append(f"len({self._name})")
        return len(cast("Sequence[object]", self._made))


def watch(kind: Callable[..., T], *args: object, name: str = "", beside: object = None) -> T:
    """Make an object of the reader's class, and note what is done with it from now on.

    What was noted before is forgotten, unless it is made `beside` another one.
    """
    if not isinstance(beside, Watched):
        begin()
    name = name or kind.__name__.lower()
    made = _noted(_trail, kind.__name__, kind, args, {}, into=name)
    return cast(T, Watched(made, name, _trail))


def call(function: Callable[..., T], *args: object) -> T:
    """Call a function of the reader's, and note that."""
    return _noted(_trail, function.__name__, function, args, {})


def _noted(
    noted: _Trail,
    name: str,
    function: Callable[..., T],
    args: Sequence[object],
    kwargs: dict[str, object],
    into: str = "",
) -> T:
    given = [shown(arg) for arg in args] + [f"{key}={shown(value)}" for key, value in kwargs.items()]
    noted.calls.append(f"{f'{into} = ' if into else ''}{name}({', '.join(given)})")
    try:
        got = function(*(arg._made if isinstance(arg, Watched) else arg for arg in args), **kwargs)
    except NotImplementedError as error:
        raise Unwritten(error) from error
    noted.returned = function, got
    return got


def shown(value: object) -> str:
    """A value as one would type it, in one line."""
    if isinstance(value, Watched):
        return value._name
    if isinstance(value, msgspec.Struct):
        fields = [getattr(value, field) for field in value.__struct_fields__]
        defaults = value.__struct_defaults__
        while fields and defaults and fields[-1] == defaults[-1]:
            fields, defaults = fields[:-1], defaults[:-1]
        return f"{type(value).__name__}({', '.join(map(shown, fields))})"
    if isinstance(value, list | tuple) and type(value) in (list, tuple):
        inner = ", ".join(map(shown, value)) + ("," if isinstance(value, tuple) and len(value) == 1 else "")
        return f"[{inner}]" if isinstance(value, list) else f"({inner})"
    if isinstance(value, dict) and type(value) is dict:
        return "{" + ", ".join(f"{shown(key)}: {shown(item)}" for key, item in value.items()) + "}"
    if callable(value) and hasattr(value, "__name__"):
        return str(value.__name__)
    said = repr(value)
    return said if len(said) <= 200 else f"{said[:200]}..."


# -- judging -------------------------------------------------------------------------------------


def regarding(what: str) -> None:
    """Name what is judged next, where that is only a part of what the last call returned."""
    _trail.calls[-1] += f"  # {what}"


def same(got: object, expected: object, why: str = "", likely: str = "") -> None:
    """What the last call returned has to be just this."""
    if type(got) is bool and type(expected) is int:
        got = int(got)
    if got != expected:
        wrong(shown(expected), shown(got), why, _likely_of(got) or _of_another_kind(got, expected) or likely)


def true(holds: object, expected: str, got: object, why: str = "", likely: str = "") -> None:
    """This has to hold of what the last call returned."""
    if not holds:
        wrong(expected, shown(got), why, _likely_of(got) or likely)


def _of_another_kind(got: object, expected: object) -> str:
    """What is likely if a list was returned for a tuple, or the other way round."""
    for kind, other in ((list, tuple), (tuple, list)):
        if isinstance(got, kind) and isinstance(expected, other) and list(got) == list(expected):
            return f"what is in it is right, but it is a {kind.__name__} and has to be a {other.__name__}."
    return ""


def _likely_of(got: object) -> str:
    """What is likely if the last call returned a thing that nobody wants, and this is it."""
    if _trail.returned is None or _trail.returned[1] is not got:
        return ""
    return mistakes.returned(*_trail.returned)


def raises(
    kind: type[T], function: Callable[..., object], *args: object, why: str = "", likely: str = ""
) -> T:
    """This call has to raise that, and what it raised is returned."""
    try:
        got = function(*args) if isinstance(function, type(lambda: 0)) else call(function, *args)
    except Exception as error:
        if isinstance(error, kind):
            return error
        raise
    wrong(f"it raises {kind.__name__}", f"it returned {shown(got)}", why, likely)


def wrong(expected: str, got: str, why: str = "", likely: str = "") -> NoReturn:
    """Fail, with the last call."""
    raise Wrong(
        Failure(call=_trail.last(), expected=expected, got=got, why=why, likely=likely, trail=trail())
    )


def seeds(count: int) -> list[int]:
    """So many numbers that follow from the grader's seed."""
    return [setup.seed * 1000 + i for i in range(1, count + 1)]


# -- clusters ------------------------------------------------------------------------------------


def play(script: str, *, within_ms: float | None = None, why: str = "", likely: str = "") -> Report:
    """Run a scenario with the piece in every node, in the simulator; each line has to hold, and to take less
    than `within_ms`; `why` is said of one that takes longer.

    Returns the report, for what the script cannot ask.
    """
    text = dedent(script).strip() + "\n"
    scenario = understood(text, "check")
    told: list[AnyEvent] = []
    world = _world(config_of(scenario))
    world.watch(told.append)

    async def main() -> Report:
        async with world:
            return await run_scenario(scenario, world)

    begin()
    report = world.run(main())
    _no_fault(told, text)
    lines = {line.number: line.text.strip() for line in scenario.lines}

    def failed(line: int, expected: str, got: str, shows: Sequence[float]) -> Failure:
        return Failure(
            call=lines.get(line, ""),
            expected=expected,
            got=got,
            likely=likely,
            trail=tuple(_up_to(scenario, line)),
            diagram=tuple(drawn(rows(told, shows))),
            scenario=text,
        )

    if report.failure is not None:
        found = report.failure
        shows = [op.start_ms for op in found.witness or report.last]
        raise Wrong(failed(found.line, found.expected, found.found, shows))
    late = next((step for step in report.steps if within_ms and step.took_ms >= within_ms), None)
    if late is not None:
        expected, got = f"it takes less than {within_ms:.0f} ms", f"{late.took_ms:.0f} ms"
        raise Wrong(msgspec.structs.replace(failed(late.line, expected, got, [late.at_ms]), why=why))
    return report


def _up_to(scenario: Scenario, number: int) -> Iterator[str]:
    for line in scenario.lines:
        if line.number <= number:
            yield line.text.strip()


def hold(
    config: ClusterConfig,
    count: int,
    guarantees: Sequence[str] | None = None,
    *,
    faults: Sequence[Fault] | None = None,
    likely: str = "",
) -> None:
    """Run so many fuzzed workloads; each has to hold what the stage claims, or these guarantees.

    `faults`: of these kinds alone; None: of all that the stage claims to outlast.
    """

    noted: list[AnyEvent] = []

    def make_world(config: ClusterConfig) -> SimWorld:
        world = _world(config)
        world.watch(noted.append, traffic=False)
        return world

    begin()
    for seed in seeds(count):
        noted.clear()
        judged = judge_seed(config, seed, faults, guarantees, make_world)
        _no_fault(noted, judged.plan.text())
        if judged.kind is Kind.OURS:
            raise KvlabError(judged.sentence)
        if not judged.failed:
            continue
        small = shrink(judged, make_world)
        raise Wrong(
            Failure(
                call=f"a workload with {_met(small.plan)}",
                expected=small.claim or "no node fails",
                got=small.sentence,
                likely=likely,
                trail=tuple(str(op).strip() for op in operations(small)),
                diagram=tuple(diagram(small)),
                scenario=small.plan.text(),
            )
        )


def _met(plan: Plan) -> str:
    """What goes wrong in it."""
    losses = ["lost messages"] if plan.losses else []
    return ", ".join([*map(str, plan.faults), *losses]) or "no faults"


def _world(config: ClusterConfig) -> SimWorld:
    return SimWorld(msgspec.structs.replace(config, mine=setup.piece))


def _no_fault(told: Iterable[AnyEvent], script: str) -> None:
    """Fail for what a node with the piece in it has raised."""
    for event in told:
        if isinstance(event, events.NodeFault):
            if event.error.endswith(NOT_YET):
                raise Unwritten(NotImplementedError(event.error))
            raise Wrong(
                Failure(
                    call="a node with your piece in it",
                    expected="no node raises anything but kvlab's own errors",
                    got=event.error,
                    likely=mistakes.in_a_node(event.error),
                    scenario=script,
                )
            )


def rows(told: Sequence[AnyEvent], begun_ms: Sequence[float]) -> Iterator[Row]:
    """The diagram of the operations that began then, of the last few if they are many; and of the faults.

    Where no operation was begun, it shows who takes whom for what.
    """
    starts = [event for event in told if isinstance(event, events.OpStarted)]
    chosen = [start for start in starts if any(abs(start.at_ms - ms) < 0.01 for ms in begun_ms)] or starts
    ops: set[OpId] = {start.op for start in chosen[-OPERATIONS_DRAWN:]}
    since = min((start.at_ms for start in chosen[-OPERATIONS_DRAWN:]), default=0.0)
    nobody = NodeId("")
    for event in told:
        match event:
            case events.ScriptLine(at_ms=at_ms, line=line) if at_ms >= since and _is_fault(line):
                yield at_ms, nobody, nobody, False, f"-- {line}"
            case events.Believed(node=node, peer=peer, belief=belief) if not starts:
                yield event.at_ms, node, node, False, f"{node} takes {peer} for {belief}"
            case events.OpStarted(op=op) if op in ops:
                value = f" {_text(event.value)}" if event.value is not None else ""
                yield event.at_ms, CLIENT, event.node, False, f"{event.kind} {_text(event.key)}{value}"
            case events.Delivered(op=op) if op in ops:
                yield event.at_ms, event.sender, event.node, False, event.kind
            case events.MessageDropped(op=op) if op in ops:
                yield event.at_ms, event.node, event.to, True, f"{event.kind} LOST ({event.why})"
            case events.OpEnded(op=op) if op in ops:
                why = f" ({event.error})" if event.outcome != Outcome.OK else ""
                yield event.at_ms, event.node, CLIENT, False, ended(event).replace(f" ({op})", "") + why


def _is_fault(line: str) -> bool:
    calm = ("put", "get", "del", "expect", "check", "say", "predict", "wait", "cluster", "at")
    return line.split(maxsplit=1)[0] not in calm


def _text(data: bytes) -> str:
    return data.decode("utf-8", "backslashreplace")
