"""Tell: a failure as a person reads it.

In this order: one sentence; the operations; the faults that matter; a diagram, one row a message that
arrived or was lost, with what nodes say to each other on their own left out; the command that does it again.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator, Sequence

from kvlab import stages
from kvlab.check.history import WITNESS_MAX, Operation
from kvlab.errors import Outcome
from kvlab.fuzz.judge import Judged
from kvlab.fuzz.plan import Plan
from kvlab.messages import NodeId
from kvlab.script.commands import At, Delete, Get, Put
from kvlab.trace import events

ROWS_MAX = 40
WIDTH = 11
"""Of one column of the diagram."""
_TIME = 10
"""Of the column with the time."""
_KEPT = (range(WIDTH), (0, 1, 2, 4, 5, 6, 8, 9, 10), (0, 1, 4, 5, 6, 9, 10))
"""What is left of a column when it is narrower: the heads of arrows are at its ends, and what is lost is lost
in its middle."""

CLIENT = NodeId("client")


def counterexample(judged: Judged, replay: str, columns: int | None = None) -> str:
    """The failure whole; `judged` has its events, and `replay` is the command that does it again. `columns`:
    of the terminal; None: as wide as it gets."""
    title = stages.find(judged.plan.cluster.stage).title
    claim = f", does not hold {judged.claim}" if judged.claim else ""
    parts = [f"{title}{claim}: {judged.sentence}", *_operations(judged), *_faults(judged.plan)]
    drawing = diagram(judged)
    parts += ["", *(drawing if columns is None else narrowed(drawing, columns)), "", f"again   {replay}"]
    return "\n".join(parts)


def _operations(judged: Judged) -> list[str]:
    seen = [f"  {operation}" for operation in operations(judged)]
    return ["", "operations", *(seen or [f"  {at.ms:8} ms  {at.command}" for at in judged.plan.operations])]


def operations(judged: Judged) -> Sequence[Operation]:
    """Those of the plan, and the last reads by which it was judged; only the proof, if they are many."""
    end_ms = _end_ms(judged.plan)
    told = [op for op in judged.history if op.start_ms < end_ms or op in judged.witness]
    told.sort(key=lambda op: (op.start_ms, op.end_ms))
    return told if len(told) <= WITNESS_MAX + 1 else judged.witness


def _faults(plan: Plan) -> list[str]:
    lines = [f"  {'':8}     {loss}" for loss in plan.losses]
    for episode in plan.episodes:
        lines += [f"  {line.ms:8} ms  {line.command}" for line in episode.lines]
    return ["", "faults", *(lines or ["  none: no message was lost, and no node failed"])]


# -- the diagram ---------------------------------------------------------------------------------

Row = tuple[float, NodeId, NodeId, bool, str]
"""When, from, to, whether it was lost on its way, and what it is. From and to are "" for a fault."""


def diagram(judged: Judged) -> list[str]:
    """The messages of a failure, with what nodes say to each other on their own left out."""
    return drawn(_rows(judged))


def drawn(found: Iterable[Row]) -> list[str]:
    """A column for the client and for each node that has a part; time goes down."""
    rows = list(found)
    seen = {place for _, a, b, _, _ in rows for place in (a, b)}
    columns = [CLIENT, *sorted(seen - {CLIENT, NodeId("")}, key=lambda node: int(node[1:]))]
    header = "      ms  " + "".join(f"{column:<{WIDTH}}" for column in columns)
    lines = [header.rstrip()]
    for at_ms, a, b, lost, text in rows[:ROWS_MAX]:
        lines.append(f"{at_ms:8.0f}  {_lanes(columns, a, b, lost)}  {text}".rstrip())
    if len(rows) > ROWS_MAX:
        lines.append(f"          ... and {len(rows) - ROWS_MAX} rows more")
    return lines


def narrowed(lines: Sequence[str], columns: int) -> list[str]:
    """A diagram for a terminal of so many columns: its lanes as wide as there is room for, and what does not
    fit even then goes on under itself."""
    if not lines:
        return []
    names = lines[0].split()[1:]
    text = _TIME + WIDTH * len(names) + 2
    longest = max(len(line[text:]) for line in lines)
    kept = next((k for k in _KEPT if _TIME + len(k) * len(names) + 2 + longest <= columns), _KEPT[-1])
    told = [(lines[0][:_TIME] + "".join(f"{name:<{len(kept)}}" for name in names)).rstrip()]
    for line in lines[1:]:
        if not line[:_TIME].strip():
            told.append(line)  # how many rows there are more
            continue
        lanes = "".join(line[_TIME + i] for i in range(WIDTH * len(names)) if i % WIDTH in kept)
        left = f"{line[:_TIME]}{lanes}  "
        beside = textwrap.wrap(line[text:], max(12, columns - len(left)))
        told.append(left + beside[0])
        told += [" " * len(left) + more for more in beside[1:]]
    return told


def _rows(judged: Judged) -> Iterator[Row]:
    """What the diagram shows: all that was done for the sake of the plan's operations, and the faults."""
    named = {_name(at): at for at in judged.plan.operations}
    final = {op.key for op in judged.witness if op.start_ms >= _end_ms(judged.plan)}
    faults = {str(line.command) for episode in judged.plan.episodes for line in episode.lines}
    for event in judged.events:
        match event:
            case events.ScriptLine(at_ms=at_ms, line=line) if line in faults:
                yield at_ms, NodeId(""), NodeId(""), False, f"-- {line}"
            case events.OpStarted(op=op) if op in named:
                yield event.at_ms, CLIENT, event.node, False, f"{named[op].command}"
            case events.Delivered(op=op) if op in named:
                yield event.at_ms, event.sender, event.node, False, f"{event.kind} of {op}"
            case events.MessageDropped(op=op) if op in named:
                yield event.at_ms, event.node, event.to, True, f"{event.kind} of {op} LOST ({event.why})"
            case events.OpEnded(op=op) if op in named or _closing(event, final, judged.plan):
                yield event.at_ms, event.node, CLIENT, False, ended(event)


def _closing(event: events.OpEnded, keys: set[bytes], plan: Plan) -> bool:
    """Whether it is the last read of a key, by which the claim was judged."""
    return event.key in keys and event.at_ms >= _end_ms(plan)


def _end_ms(plan: Plan) -> float:
    """When the timeline was over, at the earliest."""
    moments = [at.ms for at in plan.operations]
    moments += [line.ms for episode in plan.episodes for line in episode.lines]
    return max(moments, default=0) + plan.settle_ms


def _name(at: At) -> str:
    assert isinstance(at.command, Put | Get | Delete)
    return at.command.name or ""


def ended(event: events.OpEnded) -> str:
    """What a client was told, in a few words."""
    op = f"{event.kind} {_text(event.key)}" + (f" ({event.op})" if "." not in event.op else "")
    if event.outcome != Outcome.OK:
        return f"{op}: {event.outcome}"
    if event.kind != "get":
        return f"{op}: ok"
    return f"{op} = {' '.join(map(_text, event.values)) or 'missing'}"


def _text(data: bytes) -> str:
    return data.decode("utf-8", "backslashreplace")


def _lanes(columns: Sequence[NodeId], a: NodeId, b: NodeId, lost: bool) -> str:
    """One row: the lanes, and an arrow from one to another, with an X where it was lost."""
    lanes = list(("|" + " " * (WIDTH - 1)) * len(columns))
    if a in columns and b in columns and a != b:
        first, last = columns.index(a) * WIDTH, columns.index(b) * WIDTH
        left, right = sorted((first, last))
        lanes[left + 1 : right] = "-" * (right - left - 1)
        head = right - 1 if last > first else left + 1
        lanes[head] = ">" if last > first else "<"
        if lost:
            lanes[(left + right) // 2] = "X"
    return "".join(lanes)


def told(judged: Judged) -> dict[str, object]:
    """The same for a program."""
    return {
        "kind": str(judged.kind),
        "seed": judged.plan.cluster.seed,
        "claim": judged.claim,
        "sentence": judged.sentence,
        "operations": [str(op) for op in operations(judged)],
        "faults": [str(loss) for loss in judged.plan.losses]
        + [str(line) for episode in judged.plan.episodes for line in episode.lines],
        "scenario": judged.plan.text(),
    }
