"""Conditions: what `expect` and `wait until` can ask. Pure values; script/session.py finds the answers."""

from __future__ import annotations

from typing import TypeAlias

import msgspec

from kvlab.messages import Key
from kvlab.script.words import quoted


class NodeName(msgspec.Struct, frozen=True):
    """A node by its own name: n1, n2, ..."""

    name: str

    def __str__(self) -> str:
        return self.name


class Home(msgspec.Struct, frozen=True):
    """`cart:42#1`: the first home replica of a key; 2 the second, and so on."""

    key: Key
    place: int

    def __str__(self) -> str:
        return quoted(self.key + b"#%d" % self.place)


class Outside(msgspec.Struct, frozen=True):
    """`cart:42#out`: a node that is no home replica of the key."""

    key: Key

    def __str__(self) -> str:
        return quoted(self.key + b"#out")


NodeRef: TypeAlias = NodeName | Home | Outside


def _values(values: tuple[bytes, ...]) -> str:
    return " ".join(map(quoted, values)) or "missing"


class GetIs(msgspec.Struct, frozen=True):
    """`get KEY [via NODE] = VALUE...`: what a coordinated read finds, in any order; () is missing."""

    key: Key
    op: str
    values: tuple[bytes, ...]
    via: NodeRef | None = None

    def __str__(self) -> str:
        via = f" via {self.via}" if self.via is not None else ""
        return f"get {quoted(self.key)}{via} {self.op} {_values(self.values)}"


class HeldIs(msgspec.Struct, frozen=True):
    """`KEY at NODE = VALUE...`: what that node itself holds; () is missing."""

    key: Key
    node: NodeRef
    op: str
    values: tuple[bytes, ...]

    def __str__(self) -> str:
        return f"{quoted(self.key)} at {self.node} {self.op} {_values(self.values)}"


class SiblingsAre(msgspec.Struct, frozen=True):
    """`siblings KEY = 2`: how many values a coordinated read finds."""

    key: Key
    op: str
    count: int

    def __str__(self) -> str:
        return f"siblings {quoted(self.key)} {self.op} {self.count}"


class ReplicasAre(msgspec.Struct, frozen=True):
    """`replicas KEY = n1 n2 n3`: the key's preference list, in order."""

    key: Key
    op: str
    nodes: tuple[NodeRef, ...]

    def __str__(self) -> str:
        return f"replicas {quoted(self.key)} {self.op} {' '.join(map(str, self.nodes))}"


class HintsAre(msgspec.Struct, frozen=True):
    """`hints NODE = 3`: the hints that a node keeps for others; None is all nodes together (`total`)."""

    node: NodeRef | None
    op: str
    count: int

    def __str__(self) -> str:
        return f"hints {self.node if self.node is not None else 'total'} {self.op} {self.count}"


class KeysAre(msgspec.Struct, frozen=True):
    """`keys at NODE = 120`: how many keys that node itself holds."""

    node: NodeRef
    op: str
    count: int

    def __str__(self) -> str:
        return f"keys at {self.node} {self.op} {self.count}"


class RepairsAre(msgspec.Struct, frozen=True):
    """`repairs NODE = 3`: the copies of others that a node has mended since it was started; None is all nodes
    together (`total`)."""

    node: NodeRef | None
    op: str
    count: int

    def __str__(self) -> str:
        return f"repairs {self.node if self.node is not None else 'total'} {self.op} {self.count}"


class Sees(msgspec.Struct, frozen=True):
    """`NODE sees NODE = suspect`: what one node believes of another."""

    node: NodeRef
    other: NodeRef
    op: str
    belief: str

    def __str__(self) -> str:
        return f"{self.node} sees {self.other} {self.op} {self.belief}"


class OverwrittenAre(msgspec.Struct, frozen=True):
    """`overwritten KEY = VALUE...`: the acknowledged writes of the key that a reconciliation has replaced, in
    any order; () is none, written `missing`."""

    key: Key
    op: str
    values: tuple[bytes, ...]

    def __str__(self) -> str:
        return f"overwritten {quoted(self.key)} {self.op} {_values(self.values)}"


class ResultIs(msgspec.Struct, frozen=True):
    """`result = ok`: the outcome of the operation before, or the name of its error."""

    op: str
    what: str

    def __str__(self) -> str:
        return f"result {self.op} {self.what}"


Condition: TypeAlias = (
    GetIs
    | HeldIs
    | SiblingsAre
    | ReplicasAre
    | HintsAre
    | KeysAre
    | RepairsAre
    | Sees
    | OverwrittenAre
    | ResultIs
)

BELIEFS = ("alive", "suspect", "failed")

CONDITION_USAGE = {
    "get": "get KEY [via NODE] = VALUE... | missing",
    "at": "KEY at NODE = VALUE... | missing",
    "siblings": "siblings KEY = 2",
    "replicas": "replicas KEY = n1 n2 n3",
    "hints": "hints NODE|total = 3",
    "keys": "keys at NODE = 120",
    "repairs": "repairs NODE|total = 3",
    "sees": "NODE sees NODE = alive|suspect|failed",
    "overwritten": "overwritten KEY = VALUE... | missing",
    "result": "result = ok|failed|unknown|ErrorName",
}
"""How each condition is written."""
