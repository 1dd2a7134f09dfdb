"""Claims: what each stage guarantees, under which faults, and which stage mends what is lacking.

One table. The lessons print it, `kvlab fuzz` holds every stage to it, and so does the behaviour suite. A
stage is held to exactly what stands here: a guarantee it does not make is a reason to go on to the next
stage, and no bug.

Source: DeCandia et al. 2007 for what a store of this kind gives up; Vogels 2009 for the words.
Invariant: a claim is made under its faults together, in any order, any number of times, with one exception:
AMNESIA strikes one replica of a key at a time, and the next not before the first is whole again.
"""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterable, Sequence
from enum import StrEnum

import msgspec

from kvlab.config import ClusterConfig

UNDER_WAY_MS_MAX = 5000
"""No message is under way for longer, be it in the network or at a node that is stopped: of what comes later,
nothing is claimed. Stage 9 takes such a bound: whoever forgets a tombstone must know that no older value is
still to come. It may come late to a stand-in, stay there as a hint, and be late once more."""

WIDTH = 100
"""Columns of the notes below a table of claims."""


class Fault(StrEnum):
    """What can go wrong."""

    DELAY = "delay"  # messages take longer, and overtake each other
    LOSS = "loss"
    DUPLICATION = "duplication"
    PARTITION = "partition"
    PAUSE = "pause"
    DEATH = "death"  # a node dies and stays away
    RESTART = "restart"  # a node dies and comes back with all that it had confirmed
    AMNESIA = "amnesia"  # a node dies and comes back with nothing
    SKEW = "skew"  # a clock is wrong
    CHANGE = "change"  # nodes join and leave


NETWORK = (Fault.DELAY, Fault.LOSS, Fault.PARTITION, Fault.PAUSE, Fault.RESTART)
"""What ends without anybody having lost anything."""

VERSIONED = (*NETWORK, Fault.DUPLICATION)
"""The same for stages that tell an old message from a new one."""

GUARANTEES = {
    "no-lost-writes": "the last acknowledged write, or a concurrent one, is found once all is well again",
    "no-resurrection": "what a delete has seen is not found again (where a quorum is sloppy: in the end)",
    "all-siblings": "every acknowledged write that none has replaced is found, and no other",
    "read-your-writes": "a session finds what it wrote, or something later",
    "monotonic-reads": "a session does not find something older than it has found",
    "linearizable": "one order of all operations explains every read",
    "convergence": "all home replicas hold the same once all is well again, without anybody reading",
    "failed-is-failed": "what a client was told has failed is never found, in whatever trouble it was said",
}
"""What can be guaranteed, by the name that `check` knows it by."""


class Claim(msgspec.Struct, frozen=True):
    """One guarantee of one stage."""

    stage: int
    guarantee: str
    under: tuple[Fault, ...] | None
    """The faults it outlasts; None: it is not claimed at all."""
    beyond: str = ""
    """What goes wrong beyond that."""
    mended: int = 0
    """The stage that mends it; 0: none does."""
    needs: str = ""
    """The configuration that it takes: names in NEEDS, with commas; "": any."""

    def made(self, config: ClusterConfig) -> bool:
        """Whether it is claimed of this cluster, if only while nothing fails."""
        needs = self.needs.split(", ") if self.needs else []
        return self.under is not None and all(NEEDS[need](config) for need in needs)

    def holds(self, config: ClusterConfig, faults: Iterable[Fault]) -> bool:
        """Whether it is claimed of this cluster under these faults together."""
        return self.made(config) and set(faults) <= set(self.under or ())

    def sentence(self) -> str:
        """Which faults it outlasts, and its note, in words."""
        under = self.under or ()
        missing = [fault for fault in Fault if fault not in under]
        if not missing:
            said = "under every fault"
        elif len(missing) < len(under):
            said = f"under every fault but {', '.join(missing)}"
        else:
            said = f"under {', '.join(under)}" if under else "while nothing fails"
        note = self.note()
        return "; ".join(filter(None, (said if self.under is not None else "not claimed", note)))

    def note(self) -> str:
        """What it takes, and what goes wrong beyond the faults it outlasts; "" if there is nothing to say."""
        needs = f"given {self.needs}" if self.needs else ""
        mended = f" (stage {self.mended} mends it)" if self.mended else ""
        beyond = f"{'beyond: ' if self.under else ''}{self.beyond}{mended}" if self.beyond else ""
        return "; ".join(part for part in (needs, beyond) if part)


def table(claims: Sequence[Claim]) -> list[str]:
    """The claims as the rows of a table, a column a fault: whether it is outlasted. Notes stand below."""
    notes = list(dict.fromkeys(claim.note() for claim in claims if claim.note()))
    left = max(len(claim.guarantee) for claim in claims)
    lines = [" ".join([" " * left, *Fault])]
    for claim in claims:
        marks = ["-" if fault not in (claim.under or ()) else "yes" for fault in Fault]
        cells = [f"{mark:<{len(fault)}}" for mark, fault in zip(marks, Fault, strict=True)]
        note = f"({notes.index(claim.note()) + 1})" if claim.note() else ""
        lines.append(" ".join([f"{claim.guarantee:<{left}}", *cells, note]).rstrip())
    for number, note in enumerate(notes, 1):
        lines += textwrap.wrap(f"({number}) {note}", WIDTH, subsequent_indent="    ")
    return lines


def _majority(config: ClusterConfig) -> int:
    return config.n // 2 + 1


NEEDS: dict[str, Callable[[ClusterConfig], bool]] = {
    "choice=cp": lambda config: config.choice == "cp",
    "choice=ap": lambda config: config.choice == "ap",
    "w=n": lambda config: config.w in (None, config.n),
    "w>1": lambda config: (config.w or _majority(config)) > 1,
    "r+w>n": lambda config: (config.r or _majority(config)) + (config.w or _majority(config)) > config.n,
    "writeback=on": lambda config: config.read_write_back,
    "resolve=siblings": lambda config: config.resolve == "siblings",
    "no prune": lambda config: config.prune is None,
    "antientropy=on": lambda config: config.antientropy,
    "grace>hintttl+10s": lambda config: config.grace_ms > config.hint_ttl_ms + 2 * UNDER_WAY_MS_MAX,
    "no byte budget": lambda config: config.memory_bytes is None,
}
"""What a configuration can be asked to be."""

LOST, BACK, SIBLINGS, OWN, ONWARDS, LINEAR, SAME, DENIED = GUARANTEES

_ONE_COPY = "its one copy dies with its node"
_PROCESS = "all data dies with the process"
_TWICE = "an old message that comes twice is written twice"
_EMPTY = "a replica that came back empty is asked first"
_LOCKED = "while any node is missing nobody can write; what AP gives for that, the lesson tells"
_CLOCKS = "a clock that is behind writes what is at once the past"
_OUTVOTED = "two replicas that know nothing outvote the one that knows"
_SECOND = "the first replica falls silent, and the second is behind it"
_OVERTAKEN = "a read meets a write on its way, and the next read does not"
_UNREAD = "a replica that missed a write is mended only when somebody reads"
_FORGOTTEN = "two replicas of a key forget at the same time"
_HINT = "a hint dies with its keeper"
_STAND_IN = "a stand-in counts as a replica, and the next read asks the home replicas"
_NO_REGISTER = "a key with siblings is no register"

_MIRRORED = (*VERSIONED, Fault.SKEW, Fault.AMNESIA, Fault.DEATH)
_STEADY = (*NETWORK, Fault.SKEW, Fault.CHANGE)
_QUORUM = (*VERSIONED, Fault.CHANGE, Fault.DEATH)
_CAUSAL = (*_QUORUM, Fault.SKEW)
_HEALED = (*VERSIONED, Fault.SKEW)
_CONVERGING = (*_CAUSAL, Fault.AMNESIA)
_ALL_HOME = (Fault.DUPLICATION, Fault.SKEW)
_FORGETFUL = (Fault.DEATH, Fault.AMNESIA)


_ENDLESS = "no byte budget"  # else what is written is forgotten on purpose

# A context that was pruned has forgotten what was replaced, so that it comes back as a sibling, and undoes
# deletes. Nothing is lost by that: who has seen less replaces less. And what was made of siblings is another
# matter than what the store holds.
_KEPT = "resolve=siblings"
_REMEMBERED = f"{_KEPT}, no prune"
_COMPARED = "antientropy=on"
_PATIENT = "grace>hintttl+10s"


def _causal(stage: int) -> tuple[Claim, ...]:
    """What stages 6 and 7 claim: versions that know what they replace, at a quorum of home replicas."""
    return (
        Claim(stage, LOST, _CAUSAL, _OUTVOTED, 9, f"r+w>n, {_KEPT}"),
        Claim(stage, BACK, _CAUSAL, _OUTVOTED, 9, f"r+w>n, {_REMEMBERED}"),
        Claim(stage, SIBLINGS, _CAUSAL, _OUTVOTED, 9, f"r+w>n, {_REMEMBERED}"),
        Claim(stage, OWN, _CAUSAL, _OUTVOTED, 9, f"r+w>n, {_REMEMBERED}"),
        Claim(stage, ONWARDS, None, _OVERTAKEN),
        Claim(stage, LINEAR, None, _NO_REGISTER),
        Claim(stage, SAME, None, _UNREAD, 9),
    )


CLAIMS = (
    Claim(1, LOST, (Fault.PAUSE, Fault.RESTART, Fault.SKEW), _PROCESS, 4, _ENDLESS),
    Claim(1, BACK, (Fault.PAUSE, Fault.RESTART, Fault.SKEW, *_FORGETFUL)),
    Claim(1, OWN, (Fault.PAUSE, Fault.RESTART, Fault.SKEW), _PROCESS, 4, _ENDLESS),
    Claim(1, ONWARDS, (Fault.PAUSE, Fault.RESTART, Fault.SKEW), _PROCESS, 4, _ENDLESS),
    Claim(1, LINEAR, (Fault.PAUSE, Fault.RESTART, Fault.SKEW), _PROCESS, 4, _ENDLESS),
    Claim(2, LOST, (*VERSIONED, Fault.SKEW, Fault.AMNESIA), _LOCKED, 5, "choice=cp"),
    Claim(2, LOST, VERSIONED, "of two writes the later stamp wins, by whatever clock", 6, "choice=ap"),
    Claim(2, BACK, _MIRRORED, _LOCKED, 5, "choice=cp"),
    Claim(2, OWN, _MIRRORED, _LOCKED, 5, "choice=cp"),
    Claim(2, ONWARDS, _MIRRORED, _LOCKED, 5, "choice=cp"),
    Claim(2, LINEAR, _MIRRORED, _LOCKED, 5, "choice=cp"),
    Claim(2, SAME, (*VERSIONED, Fault.SKEW, Fault.AMNESIA)),
    Claim(3, LOST, _STEADY, _ONE_COPY, 4, _ENDLESS),
    Claim(3, BACK, (*_STEADY, *_FORGETFUL), _TWICE, 5),
    Claim(3, OWN, _STEADY, _ONE_COPY, 4, _ENDLESS),
    Claim(3, ONWARDS, _STEADY, _ONE_COPY, 4, _ENDLESS),
    Claim(3, LINEAR, _STEADY, _ONE_COPY, 4, _ENDLESS),
    Claim(4, LOST, (*_STEADY, Fault.DEATH), _EMPTY, 9, f"w=n, {_ENDLESS}"),
    Claim(4, BACK, (*_STEADY, *_FORGETFUL), _TWICE, 5, "w=n"),
    Claim(4, OWN, (*_STEADY, Fault.DEATH), _EMPTY, 9, f"w=n, {_ENDLESS}"),
    Claim(4, ONWARDS, (Fault.SKEW,), _SECOND, 5, f"w=n, {_ENDLESS}"),
    Claim(4, LINEAR, None, _SECOND, 5),
    Claim(4, SAME, None, "nothing orders two writes, and what one replica missed it never hears", 9),
    Claim(5, LOST, _QUORUM, _CLOCKS, 6, "r+w>n"),
    Claim(5, BACK, _QUORUM, _CLOCKS, 6, "r+w>n"),
    Claim(5, OWN, _QUORUM, _CLOCKS, 6, "r+w>n"),
    Claim(5, ONWARDS, _QUORUM, _OVERTAKEN, 5, "r+w>n, writeback=on"),
    Claim(5, LINEAR, _QUORUM, _OVERTAKEN, 5, "r+w>n, writeback=on"),
    Claim(5, SAME, None, _UNREAD, 9),
    *_causal(6),
    *_causal(7),
    Claim(8, LOST, _HEALED, _HINT, 9, f"r+w>n, {_KEPT}"),
    Claim(8, BACK, _HEALED, _HINT, 9, f"r+w>n, {_REMEMBERED}"),
    Claim(8, SIBLINGS, _HEALED, _HINT, 9, f"r+w>n, {_REMEMBERED}"),
    Claim(8, OWN, _ALL_HOME, _STAND_IN, 0, f"r+w>n, {_REMEMBERED}"),
    Claim(8, ONWARDS, None, _OVERTAKEN),
    Claim(8, LINEAR, None, _NO_REGISTER),
    Claim(8, SAME, None, "a message lost on its way to a healthy replica leaves no hint", 9),
    Claim(9, LOST, _CONVERGING, _FORGOTTEN, 0, f"w>1, {_COMPARED}, {_KEPT}"),
    Claim(9, BACK, _CONVERGING, _FORGOTTEN, 0, f"w>1, {_COMPARED}, {_REMEMBERED}, {_PATIENT}"),
    Claim(9, SIBLINGS, _CONVERGING, _FORGOTTEN, 0, f"w>1, {_COMPARED}, {_REMEMBERED}, {_PATIENT}"),
    Claim(9, OWN, _ALL_HOME, _STAND_IN, 0, f"r+w>n, {_REMEMBERED}"),
    Claim(9, ONWARDS, None, _OVERTAKEN),
    Claim(9, LINEAR, None, _NO_REGISTER),
    Claim(9, SAME, (*VERSIONED, Fault.SKEW, Fault.CHANGE, Fault.AMNESIA), needs=_COMPARED),
    *(Claim(stage, DENIED, tuple(Fault)) for stage in range(1, 10)),
)
"""The table, stage by stage. A guarantee that does not stand for a stage has no meaning there."""


def claims_of(stage: int) -> list[Claim]:
    """The rows of one stage, those it does not make included."""
    return [claim for claim in CLAIMS if claim.stage == stage]


def held_to(config: ClusterConfig, faults: Sequence[Fault]) -> list[Claim]:
    """What may be asked of this cluster under these faults together."""
    return [claim for claim in claims_of(config.stage) if claim.holds(config, faults)]
