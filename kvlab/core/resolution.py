"""Resolution: what a read makes of siblings.

Source: DeCandia et al. 2007, section 4.4: the data store can only keep "last write wins"; the application
    knows what its values mean, and can merge them (the cart of section 4.4 keeps every item added).
Invariant: a resolved read returns one value and the whole context. Nothing is written by it: who writes the
    value back with that context has replaced the siblings for good.
Deviation: in Dynamo the client merges. Here the coordinator can do it as well, by a function of one's own.

    siblings            keep them all; the client decides
    newest              the one with the latest stamp, as stage 5 does; the others are forgotten
    union               values are sets of words, separated by commas: all the words of all of them
    module:function     your own: takes a list of values (bytes), in one order everywhere, returns one
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import TypeAlias

from kvlab.errors import MergeFailed, UserError
from kvlab.messages import Sibling, Siblings

Resolve: TypeAlias = Callable[[Siblings], Siblings]
Merge: TypeAlias = Callable[[list[bytes]], bytes]

EXPECTED = "siblings, newest, union, or your own function as module:name"


def siblings(copy: Siblings) -> Siblings:
    """All of them."""
    return copy


def newest(copy: Siblings) -> Siblings:
    """The last written, as far as clocks can tell. As between versions, of two with one stamp a tombstone
    wins, then the greater value."""
    last = max(copy.siblings, key=lambda s: (s.stamp_ms, s.value is None, s.value or b"", s.dot))
    return Siblings(copy.context, (last,))


def union(values: list[bytes]) -> bytes:
    """All the words of these sets, sorted. A word that one writer took out and another never saw gone is
    back: the paper's cart has that, too."""
    words = {word.strip() for value in values for word in value.split(b",")}
    return b",".join(sorted(words - {b""}))


def load(name: str) -> Resolve:
    """The resolution of this name. Raises UserError, which says what is wrong with it."""
    match name:
        case "siblings":
            return siblings
        case "newest":
            return lambda copy: newest(copy) if len(copy.siblings) > 1 else copy
        case "union":
            return by(union, name)
        case _:
            return by(_function(name), name)


def by(merge: Merge, name: str) -> Resolve:
    """Resolve by making one value of several. What was deleted by nobody who saw it stays: tombstones are
    not asked."""

    def resolve(copy: Siblings) -> Siblings:
        if len(copy.values) < 2:
            return copy
        last = copy.siblings[-1]
        stamp_ms = max(sibling.stamp_ms for sibling in copy.siblings)
        one = Sibling(last.dot, _merged(merge, name, copy), stamp_ms, copy.expires_ms)
        return Siblings(copy.context, (one,))

    return resolve


def _merged(merge: Merge, name: str, copy: Siblings) -> bytes:
    values = list(copy.values)
    try:
        value = merge(values)
    except Exception as error:  # it is not our code
        raise MergeFailed(
            f"{name} was given {values!r} and raised {error!r}; mend it, or read all"
        ) from error
    if not isinstance(value, bytes):
        raise MergeFailed(f"{name} was given {values!r} and returned {value!r}, which is not bytes")
    return value


def _function(name: str) -> Merge:
    module, colon, function = name.partition(":")
    if not (module and colon and function):
        raise UserError(f"there is no resolution {name!r}; expected {EXPECTED}")
    try:
        found: object = getattr(importlib.import_module(module), function, None)
    except Exception as error:  # not found, or a mistake in it
        raise UserError(
            f"cannot import {module} for the resolution {name}: {type(error).__name__}: {error}. "
            "It is looked for where Python looks for modules: set PYTHONPATH to the folder it is in"
        ) from error
    if not callable(found):
        raise UserError(f"{module} has no function {function}, which the resolution {name} asks for")
    merge: Merge = found
    return merge
