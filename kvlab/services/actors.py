"""Actors: under which name a node numbers its writes of a key, so that no dot is ever given out twice.

Source: Riak's key epochs, the mend for kv679: a coordinator that had lost its copy of a key began to count
    at 1 again; the replicas had seen those dots, and threw the acknowledged write away.
Invariant: a node goes on under the name it wrote a key by only while its copy knows its last write there.
Deviation: Riak finds its epoch in the copy itself, which may be an old one that came back from elsewhere;
    here the last dot of each key is remembered beside it. That memory is not kept on disk: a node that was
    restarted goes on under new names, for each key one more in the contexts.

The memory may be lost with a kill, a wiped disk, a key that moved away and back, a tombstone that was
reaped before an old copy returned, or by pruning. In each case the copy does not know of the last write,
or nobody remembers which that was, and a new actor begins.
"""

from __future__ import annotations

from kvlab.core.clocks import highest
from kvlab.env import Env
from kvlab.messages import NOTHING, Actor, Copy, Dot, Key, Siblings


class Actors:
    """The names of one node: its own, its life, its start in this life, and a count of beginnings."""

    def __init__(self, env: Env) -> None:
        self.env = env
        self.start = int(env.kept("actors").get(b"starts", b"0")) + 1
        env.keep("actors", b"starts", b"%d" % self.start)
        self.begun = 0
        self.last: dict[Key, Dot] = {}

    def next(self, key: Key, held: Siblings | None) -> Actor:
        """Who makes the write of this key that follows now; `held` is this node's own copy."""
        context = NOTHING if held is None else held.context
        last = self.last.get(key)
        if last is None or highest(context, last.actor) != last.count:
            self.begun += 1
            name = f"{self.env.me}.{self.env.life}.{self.start}.{self.begun}"
            last = Dot(Actor(name), 0)
        self.last[key] = Dot(last.actor, last.count + 1)
        return last.actor

    def changed(self, key: Key, copy: Copy | None, why: str) -> None:
        """The store's observer: of a key that is no longer held there is nothing to go on from."""
        if copy is None:
            self.forget(key)
        self.env.changed(key, copy, why)

    def forget(self, key: Key) -> None:
        """No copy is held here that the next write of this key could go on from."""
        self.last.pop(key, None)
