"""Session: one person's commands, done one after the other on a world, and the history of what they saw.

The lab's command line, a `.scenario` file and a demo each hold a `Session`. It resolves nodes such as
`cart:42#1` at the moment they are spoken of, keeps every operation for `check` to judge, and answers each
command with a `Step`: what happened, and whether it is what was expected.

A command that makes no sense raises a UserError, and nothing has been done. The cluster's bad luck is not an
exception here: it is a step with an outcome, which the script may expect.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from contextvars import ContextVar
from functools import partial
from math import inf, nextafter
from random import Random

import msgspec

from kvlab.check.convergence import convergence
from kvlab.check.history import CheckerFailed, Judgement, Operation, Verdict
from kvlab.check.linear import linearizable
from kvlab.check.sessions import monotonic_reads, read_your_writes
from kvlab.check.siblings import all_siblings
from kvlab.check.writes import failed_is_failed, no_lost_writes, no_resurrection
from kvlab.errors import KvlabError, OperationError, Outcome, UserError
from kvlab.messages import Key, NodeId, OpId
from kvlab.script.commands import (
    Add,
    At,
    Check,
    Cluster,
    Command,
    DecideMessage,
    Delete,
    Duplicate,
    Expect,
    Get,
    Heal,
    Kill,
    Load,
    Lose,
    LoseMessage,
    Partition,
    Pause,
    Predict,
    Put,
    Remove,
    Restart,
    Resume,
    Rot,
    Say,
    Skew,
    Slow,
    StopLoad,
    Wait,
    WaitUntil,
    duration,
)
from kvlab.script.conditions import (
    Condition,
    GetIs,
    HeldIs,
    HintsAre,
    Home,
    KeysAre,
    NodeName,
    NodeRef,
    Outside,
    OverwrittenAre,
    RepairsAre,
    ReplicasAre,
    ResultIs,
    Sees,
    SiblingsAre,
)
from kvlab.script.load import run_load
from kvlab.script.rehearsal import Rehearsal
from kvlab.trace import events
from kvlab.world.control import Changed, Result
from kvlab.world.world import NodeState, World

POLL_MS = 20
FORGET_AT = 1.25
"""Operations are forgotten not one by one, but as soon as there are so many times those that are kept."""
WITHIN_MS = 5000
"""How long `wait until` waits where nothing is said."""

_named: ContextVar[list[tuple[str, NodeId]]] = ContextVar("named")
"""The places that the command under way has spoken of. The lab has several under way at once, each in a task
of its own, and each has a list of its own here."""

_COMPARE: dict[str, Callable[[int, int], bool]] = {
    "=": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


class Finding(msgspec.Struct, frozen=True):
    """Whether a condition holds, and what was found instead if not."""

    holds: bool
    found: str


class Failure(msgspec.Struct, frozen=True):
    """What was expected and did not hold. `witness` is the proof, for a check."""

    expected: str
    found: str
    line: int = 0  # 0: not from a file
    witness: tuple[Operation, ...] = ()
    verdict: Verdict | None = None  # of a check


class Step(msgspec.Struct, frozen=True):
    """One command, done. `text` says in a few words what came of it; "" where there is nothing to say.

    `outcome` is that of an operation (or a change of the ring) and None for other commands; `error` is the
    name of its error's type, for programs, and `op` what its events call it. `nodes` are the names of those
    nodes that the command called by their place, in its order.
    """

    command: Command
    at_ms: float
    took_ms: float
    text: str = ""
    outcome: Outcome | None = None
    failure: Failure | None = None
    nodes: tuple[tuple[str, NodeId], ...] = ()
    line: int = 0
    error: str = ""
    op: OpId = OpId("")

    @property
    def trouble(self) -> str:
        """How it fell short of what it says, in a word or two; "" if it did not."""
        if self.outcome is not None and self.outcome is not Outcome.OK:
            return str(self.outcome)
        return "does not hold" if self.failure is not None else ""


class Seen(msgspec.Struct, frozen=True):
    """What a session has seen of a key through one node: the context, and the values that it stands for."""

    context: bytes = b""
    values: tuple[bytes, ...] = ()

    @property
    def replaced(self) -> tuple[bytes, ...] | None:
        """What a delete with this context replaces; without one, whatever its coordinator finds."""
        return self.values if self.context else None


class LoadUnderWay(msgspec.Struct, frozen=True):
    """A load, and when it was begun."""

    load: Load
    since_ms: float


class Session:
    """Does commands on a world that has been started."""

    def __init__(
        self,
        world: World,
        say: Callable[[str], None] = lambda text: None,
        *,
        history_max: int | None = None,
    ) -> None:
        """Of `history_max` operations and somewhat more, the older ones are forgotten."""
        self.world = world
        self.say = say
        self.history: list[Operation] = []
        self.forgotten = 0
        """So many operations stand in the history no more."""
        self._forgotten_of: set[Key] = set()  # and they were on these keys
        self._history_max = history_max
        self._ended_ms = -inf  # when the latest of them ended
        self.last: Result | OperationError | Changed | None = None
        """How the operation before ended; a change of the ring counts as one."""
        self._homes: dict[Key, tuple[NodeId, ...]] = {}
        self._loads = 0
        self.loading: dict[str, LoadUnderWay] = {}
        """The loads under way, by name, the oldest first; one that is taken out ends."""
        self._contexts: dict[tuple[NodeId, Key], Seen] = {}
        self._overwritten: dict[Key, list[bytes]] = {}
        world.watch(self._note, traffic=False)

    def _note(self, event: events.AnyEvent) -> None:
        if type(event) is events.Overwritten:  # `isinstance` is slow to say no, and every event comes by here
            self._overwritten.setdefault(event.key, []).extend(event.values)

    async def do(self, command: Command, line: int = 0) -> Step:
        """Do one command. Raises UserError, before anything is done, if it makes no sense now."""
        if isinstance(command, At):
            return await self._do_later(command, line)
        Rehearsal(self.world.config, self.world.members()).consider(command)
        named: list[tuple[str, NodeId]] = []
        _named.set(named)
        begun = self.world.at_ms()
        told = events.ScriptLine(begun, NodeId(""), str(command))
        self.world.tell(told)
        try:
            step = await self._do(command, begun)
        except OperationError as error:  # a node that was to be asked or changed did not answer
            undone = Failure(f"{command}: to be done", str(error))
            step = Step(
                command, begun, 0, f"not done: {error}", error.outcome, undone, error=type(error).__name__
            )
            self._fell_short(told, "not done")
        except KvlabError:
            self._fell_short(told, "not done")
            raise
        else:
            if step.trouble:
                self._fell_short(told, step.trouble)
        failure = step.failure and msgspec.structs.replace(step.failure, line=line)
        took_ms = self.world.at_ms() - begun
        places = tuple(dict.fromkeys(named))  # `wait until` names them each time that it looks
        return msgspec.structs.replace(step, took_ms=took_ms, nodes=places, line=line, failure=failure)

    async def _do_later(self, at: At, line: int) -> Step:
        """Do it at its time, if it makes sense then; the step is that of the command itself."""
        await self.world.sleep(at.ms / 1000)
        try:
            step = await self.do(at.command, line)
        except UserError as error:
            return Step(at.command, self.world.at_ms(), 0, f"left out: {error}", line=line)
        return msgspec.structs.replace(step, failure=None) if step.error else step

    def _fell_short(self, told: events.ScriptLine, how: str) -> None:
        self.world.tell(events.LineFailed(self.world.at_ms(), NodeId(""), told.line, told.at_ms, how))

    async def _do(self, command: Command, at_ms: float) -> Step:
        """Do it; the caller fills in how long it took."""
        world, text = self.world, ""
        match command:
            case Put() | Get() | Delete():
                return _operated(command, at_ms, await self.operate(command))
            case Expect(condition):
                return _judged(command, at_ms, condition, await self.find(condition))
            case WaitUntil(condition, within):
                return await self._wait_until(command, at_ms, condition, within or WITHIN_MS)
            case Check(claim):
                return _claimed(command, at_ms, await self.judge(claim))
            case Add() | Remove():
                return await self._change_ring(command, at_ms)
            case Kill(node):
                await world.kill(await self.resolve(node))
            case Restart(node, empty):
                await world.restart(await self.resolve(node), empty=empty)
            case Pause(node):
                await world.pause(await self.resolve(node))
            case Resume(node):
                await world.resume(await self.resolve(node))
            case Partition(groups):
                await world.partition([[await self.resolve(node) for node in group] for group in groups])
            case Heal():
                await world.heal()
            case Slow(node, other, delay, jitter):
                await world.slow(*await self._ends(node, other), delay, jitter)
            case Lose(node, other, percent):
                await world.lose(*await self._ends(node, other), percent / 100)
            case LoseMessage(message, operation, sender, receiver):
                from_node, to_node = await self._ends(sender, receiver)
                await world.lose_message(message, OpId(operation), from_node, str(to_node))
            case Duplicate(node, other, percent):
                await world.duplicate(*await self._ends(node, other), percent / 100)
            case DecideMessage(message, fate):
                await world.decide(message, fate)
            case Skew(node, by):
                await world.skew(await self.resolve(node), by)
            case Rot(key, node):
                await world.rot(await self.resolve(node), key)
            case Wait(ms):
                await world.sleep(ms / 1000)
            case Load():
                text = await self._load(command)
            case StopLoad():
                text = "" if self.loading else "no load was under way"
                self.loading.clear()
            case Say():
                self._tell(command.text)
            case Predict():
                self._tell(f"Predict: {command.question}")
                self._tell(f"Answer: {command.answer}")
            case Cluster() | At():
                raise UserError("a cluster is running; `cluster` stands first in a file, once")
        return Step(command, at_ms, 0, text)

    def _tell(self, text: str) -> None:
        self.world.tell(events.Said(self.world.at_ms(), NodeId(""), text))
        self.say(text)

    # -- operations ------------------------------------------------------------------------------

    async def operate(self, command: Put | Get | Delete) -> Result:
        """Do it, and keep it in the history."""
        via = await self.resolve(command.via) if command.via is not None else None
        world, begun = self.world, self._begun_ms()
        match command:
            case Put(key, value, _, w, ttl, blind, name):
                expires = world.now_ms() + ttl if ttl is not None else None
                seen, op = Seen() if blind else self._seen(via, key), OpId(name or "")
                result = await world.put(
                    key, value, via=via, w=w, context=seen.context, expires_ms=expires, op=op
                )
                replaced = seen.values if world.stage.contexts else None
                self._remember(result, begun, value, mortal=ttl is not None, replaces=replaced)
            case Get(key, _, r, name):
                result = await world.get(key, via=via, r=r, op=OpId(name or ""))
                self._remember(result, begun)
            case Delete(key, _, name):
                seen, op = self._seen(via, key), OpId(name or "")
                result = await world.delete(key, via=via, context=seen.context, op=op)
                known = self.world.stage.contexts and result.outcome is Outcome.OK
                replaced = (*seen.values, *result.values) if known else seen.replaced
                self._remember(result, begun, replaces=replaced)
        self.last = result
        return result

    def _seen(self, via: NodeId | None, key: Key) -> Seen:
        """What this session last saw of the key through the node that will coordinate."""
        if via is None:
            via = next(iter(self.world.up()), NodeId(""))
        return self._contexts.get((via, key), Seen())

    def _begun_ms(self) -> float:
        """When an operation begins that begins now: after all that have ended, and that by the least bit, for
        virtual time stands still from one line to the next. At one time with them it would be concurrent with
        them, and would prove nothing."""
        return max(self.world.at_ms(), nextafter(self._ended_ms, inf))

    def _remember(
        self,
        result: Result,
        begun: float,
        value: bytes | None = None,
        *,
        mortal: bool = False,
        replaces: tuple[bytes, ...] | None = None,
    ) -> Operation:
        """Put an operation that has ended into the history."""
        if result.context:
            values = result.values if value is None else (value,)
            self._contexts[result.via, result.key] = Seen(result.context, values)
        elif result.kind == "delete":
            self._contexts.pop((result.via, result.key), None)
        self._ended_ms = max(self._ended_ms, begun, self.world.at_ms())
        operation = Operation(
            result.kind,
            result.key,
            session=result.via,
            start_ms=begun,
            end_ms=max(begun, self.world.at_ms()),
            outcome=result.outcome,
            value=value,
            found=result.values,
            mortal=mortal,
            replaces=replaces,
        )
        self.history.append(operation)
        if self._history_max is not None and len(self.history) > self._history_max * FORGET_AT:
            self._forget(len(self.history) - self._history_max)
        return operation

    def _forget(self, count: int) -> None:
        """Those that ended first."""
        self._forgotten_of.update(op.key for op in self.history[:count])
        self.forgotten += count
        del self.history[:count]

    async def _change_ring(self, command: Add | Remove, at_ms: float) -> Step:
        """A ring change that fails is bad luck, as a failed write is: an outcome to be expected."""
        self._homes.clear()
        try:
            node = await self.resolve(command.node)
            if isinstance(command, Add):
                changed = await self.world.add(node, zone=command.zone, weight=command.weight or 1)
            else:
                changed = await self.world.remove(node)
        except OperationError as error:
            self.last = error
            text = f"{error.outcome}: {error}"
            return Step(command, at_ms, 0, text, error.outcome, error=type(error).__name__)
        self.last = changed
        copies = "copy" if changed.moved == 1 else "copies"
        return Step(command, at_ms, 0, f"ok, {changed.moved} {copies} moved", Outcome.OK)

    async def _load(self, load: Load) -> str:
        self._loads += 1
        name = f"load{self._loads}"

        # Who writes says what was last seen of the key, as any client should: else each write were one more
        # sibling, and after some minutes a key had hundreds of them.
        seen: dict[Key, Seen] = {}

        async def perform(kind: str, key: Key, value: bytes, via: str | None) -> Result:
            begun = self._begun_ms()
            if kind == "get":
                result = await self.world.get(key, via=via)
                self._remember(result, begun)
            else:
                known = seen.get(key, Seen())
                result = await self.world.put(key, value, via=via, context=known.context)
                replaced = known.values if self.world.stage.contexts else None
                self._remember(result, begun, value, replaces=replaced)
            if result.context:
                seen[key] = Seen(result.context, result.values if kind == "get" else (value,))
            return result

        random = Random(f"{self.world.config.seed} {name}")
        self.loading[name] = LoadUnderWay(load, self.world.at_ms())
        try:
            going = partial(self.loading.__contains__, name)
            return str(await run_load(load, self.world, perform, random, name, going))
        finally:
            self.loading.pop(name, None)

    # -- nodes -----------------------------------------------------------------------------------

    async def resolve(self, node: NodeRef) -> NodeId:
        """The name of the node that is meant now. Raises UserError if there is none."""
        match node:
            case NodeName(name):
                return NodeId(name)
            case Home(key, place):
                homes = await self._preference_list(key)
                if place > len(homes):
                    raise UserError(f"{node}: the key has {len(homes)} home replicas: {', '.join(homes)}")
                name = homes[place - 1]
            case Outside(key):
                homes = await self._preference_list(key)
                others = [member for member in self.world.members() if member not in homes]
                if not others:
                    raise UserError(f"{node}: every node is a home replica of the key")
                running = [member for member in others if member in self.world.up()]
                name = (running or others)[0]
        _named.get([]).append((str(node), name))
        return name

    async def _preference_list(self, key: Key) -> tuple[NodeId, ...]:
        """The key's home replicas. With every node down, those of the last time that somebody asked."""
        if not self.world.up() and key in self._homes:
            return self._homes[key]
        self._homes[key] = await self.world.replicas(key)
        return self._homes[key]

    async def _ends(self, node: NodeRef, other: NodeRef | None) -> tuple[NodeId, NodeId | None]:
        return await self.resolve(node), await self.resolve(other) if other is not None else None

    # -- conditions ------------------------------------------------------------------------------

    async def _wait_until(self, command: Command, at_ms: float, condition: Condition, within_ms: int) -> Step:
        """Ask again every 20 ms until it holds, or until the time is over."""
        while True:
            finding = await self.find(condition)
            late = self.world.at_ms() - at_ms >= within_ms
            if finding.holds or late:
                return _judged(command, at_ms, condition, finding, f" within {duration(within_ms)}")
            await self.world.sleep(POLL_MS / 1000)

    async def find(self, condition: Condition) -> Finding:
        """Whether it holds now. A node that cannot be asked makes nothing true."""
        try:
            return await self._find(condition)
        except OperationError as error:
            return Finding(False, str(error))

    async def _find(self, condition: Condition) -> Finding:
        if not self.world.up() and not isinstance(condition, ResultIs):
            return Finding(False, "no node is up")
        match condition:
            case GetIs(key, op, values, via):
                result = await self.operate(Get(key, via))
                if result.outcome is not Outcome.OK:
                    return Finding(False, f"the read via {result.via} came back {_ended(result)}")
                return _same_values(op, values, result.values, f" via {result.via}")
            case HeldIs(key, node, op, values):
                name = await self.resolve(node)
                if blind := self._unseen(name):
                    return blind
                return _same_values(op, values, await self.world.peek(name, key), f" at {name}")
            case KeysAre(node, op, count):
                name = await self.resolve(node)
                if blind := self._unseen(name):
                    return blind
                keys = (await self.world.count(name)).keys
                return Finding(_COMPARE[op](keys, count), f"{keys} keys at {name}")
            case ReplicasAre(key, op, nodes):
                wanted = tuple([await self.resolve(node) for node in nodes])
                homes = await self._preference_list(key)
                return Finding((homes == wanted) is (op == "="), " ".join(homes))
            case OverwrittenAre(key, op, values):
                return _same_values(op, values, self._overwritten.get(key, []), "")
            case ResultIs(op, what):
                return self._result_is(op, what)
            case SiblingsAre(key, op, count):
                result = await self.operate(Get(key))
                if result.outcome is not Outcome.OK:
                    return Finding(False, f"the read via {result.via} {_ended(result)}")
                found = f"{len(result.values)} ({_values(result.values)})"
                return Finding(_COMPARE[op](len(result.values), count), found)
            case HintsAre(node, op, count):
                keepers = [await self.resolve(node)] if node is not None else self.world.up()
                hints = sum([sum((await self.world.hints(keeper)).values()) for keeper in keepers])
                return Finding(_COMPARE[op](hints, count), f"{hints} hints")
            case RepairsAre(node, op, count):
                menders = [await self.resolve(node)] if node is not None else self.world.up()
                repairs = sum([(await self.world.count(mender)).repairs for mender in menders])
                return Finding(_COMPARE[op](repairs, count), f"{repairs} repairs")
            case Sees(node, other, op, belief):
                observer, observed = await self.resolve(node), await self.resolve(other)
                if blind := self._unseen(observer):
                    return blind
                seen = await self.world.belief(observer, observed)
                return Finding((seen == belief) is (op == "="), f"{observer} takes {observed} to be {seen}")

    def _unseen(self, name: NodeId) -> Finding | None:
        """A finding if nobody can look into this node now."""
        state = self.world.info(name).state
        return (
            None if state is NodeState.UP else Finding(False, f"{name} is {state}: nothing can be seen there")
        )

    def _result_is(self, op: str, what: str) -> Finding:
        match self.last:
            case None:
                raise UserError("`result` is that of the operation before, and there was none yet")
            case Changed():
                outcome, error, text = "ok", "", ""
            case Result() as result:
                outcome, error, text = str(result.outcome), result.error, result.text
            case OperationError() as failed:
                outcome, error, text = str(failed.outcome), type(failed).__name__, str(failed)
        found = f"{outcome}: {text}" if text else outcome
        if error and what not in tuple(Outcome):  # who asks for a name shall hear one
            found = f"{error}, {found}"
        return Finding((what in (outcome, error)) is (op == "="), found)

    # -- checks ----------------------------------------------------------------------------------

    async def judge(self, claim: str) -> Judgement:
        """Judge the replicas as they are, or everything this session has seen. Raises CheckerFailed."""
        try:
            return self._remembering(await self._judge(claim))
        except KvlabError:
            raise
        except Exception as error:
            raise CheckerFailed(claim, self.history, error) from error

    def _remembering(self, judgement: Judgement) -> Judgement:
        """What it is worth where older operations are not known any more: on their keys nothing is proven."""
        if not self.forgotten or judgement.claim == "convergence":
            return judgement
        said = f"the {self.forgotten} oldest operations are not kept any more, and were not looked at"
        sentence, verdict = f"{judgement.sentence}; {said}", judgement.verdict
        if verdict is Verdict.ILLEGAL and any(op.key in self._forgotten_of for op in judgement.witness):
            verdict = Verdict.UNDECIDED
        return msgspec.structs.replace(judgement, verdict=verdict, sentence=sentence)

    async def _judge(self, claim: str) -> Judgement:
        match claim:
            case "convergence":
                return convergence(await self.copies())
            case "no-lost-writes":
                return no_lost_writes(self._known(), await self.read_all())
            case "no-resurrection":
                final = await self.read_all()
                sloppy = self.world.stage.hints and self.world.config.hints
                return no_resurrection(self._known(), final.values() if sloppy else None)
            case "all-siblings":
                return all_siblings(self._known(), await self.read_all())
            case "read-your-writes":
                return read_your_writes(self._known())
            case "monotonic-reads":
                return monotonic_reads(self._known())
            case "linearizable":
                return linearizable(self._known())
            case "failed-is-failed":
                await self.read_all()
                return failed_is_failed(self._known())
            case _:
                raise UserError(f"there is no check {claim!r}")

    def _known(self) -> list[Operation]:
        """The history; first the keys of which all of it is known, for there a proof is one."""
        return sorted(self.history, key=lambda op: op.key in self._forgotten_of)

    async def copies(self) -> dict[Key, dict[NodeId, Sequence[bytes] | None]]:
        """What each home replica of each key holds; None for one that cannot be looked at."""
        running = self.world.up()
        keys: dict[Key, None] = {}
        for node in running:
            keys.update(dict.fromkeys(await self.world.keys(node)))
        copies: dict[Key, dict[NodeId, Sequence[bytes] | None]] = {}
        for key in sorted(keys):
            homes = await self.world.replicas(key)
            copies[key] = {
                node: await self.world.peek(node, key) if node in running else None for node in homes
            }
        return copies

    async def read_all(self) -> dict[Key, Operation]:
        """Read every key that the history wrote, once."""
        keys = dict.fromkeys(op.key for op in self.history if op.is_write)
        final = {}
        for key in keys:
            begun = self._begun_ms()
            final[key] = self._remember(await self.world.get(key), begun)
        return final


# -- what came of it, in words -------------------------------------------------------------------


def _values(values: Sequence[bytes]) -> str:
    return " ".join(value.decode("utf-8", "backslashreplace") for value in values) or "missing"


def _same_values(op: str, wanted: Sequence[bytes], found: Sequence[bytes], where: str) -> Finding:
    """Siblings have no order, so they are compared as sets."""
    return Finding((set(wanted) == set(found)) is (op == "="), f"{_values(found)}{where}")


def _ended(result: Result) -> str:
    """`ok`, or `unknown: n3 broke off`."""
    return "ok" if result.outcome is Outcome.OK else f"{result.outcome}: {result.text}"


def _operated(command: Put | Get | Delete, at_ms: float, result: Result) -> Step:
    via = f" via {result.via}" if command.via is None and result.via else ""
    took = f"{result.took_ms:.0f} ms{via}"
    if result.outcome is not Outcome.OK:
        text = f"{result.outcome} after {took}: {result.text}"
    elif result.kind == "get":
        text = f"{_values(result.values)}  ok {took}"
    else:
        text = f"ok {took}"
    return Step(command, at_ms, 0, text, result.outcome, error=result.error, op=result.op)


def _judged(command: Command, at_ms: float, condition: Condition, finding: Finding, limit: str = "") -> Step:
    if finding.holds:
        return Step(command, at_ms, 0, "holds")
    failure = Failure(f"{condition}{limit}", finding.found)
    return Step(command, at_ms, 0, f"does not hold: {finding.found}", failure=failure)


def _claimed(command: Check, at_ms: float, judgement: Judgement) -> Step:
    if judgement.verdict is Verdict.OK:
        return Step(command, at_ms, 0, f"holds: {judgement.sentence}")
    found = f"{judgement.verdict}: {judgement.sentence}"
    return Step(
        command,
        at_ms,
        0,
        found,
        failure=Failure(judgement.claim, found, 0, judgement.witness, judgement.verdict),
    )
