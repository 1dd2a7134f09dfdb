"""Chapter 2: what a node does while another one is missing, and what becomes of copies that have gone apart.

First `newest` and `reconcile`, which only compare; then the methods of a node that refuses, waits, or goes
on. The reference takes about 45 lines. `kvlab check 2` says how far you are, and `kvlab lab 2 --mine` is the
bank with your rules in each of its three branches.

A `Version(value, stamp_ms, expires_ms)` is what a node holds under a key; value None is a tombstone: the key
was deleted then. `expires_ms` is None for what lives for ever. `version.alive` is False for a tombstone.
"""

from __future__ import annotations

from kvlab.course.given import GivenCapNode
from kvlab.errors import ReplicasMissing
from kvlab.messages import Item, Key, Version


def newest(a: Version | None, b: Version | None) -> Version | None:
    """Which of two copies was written last; None is earlier than anything.

    The later stamp wins. Of two with one stamp, a tombstone wins over a value, and of two values the greater
    one (bytes compare). If the values are the same too, they differ in `expires_ms`: any rule will do that
    gives the same answer for (a, b) and (b, a).
    """
    raise NotImplementedError


def reconcile(mine: Version | None, theirs: Version, told: bool) -> tuple[Version, bool]:
    """(which copy stays, whether an acknowledged write is lost by that).

    `told`: mine is a write of which this node has told a client that it is done, and theirs was made by
    somebody who did not know of it. That is lost if theirs is another version, and stays.
    """
    raise NotImplementedError


class CapNode(GivenCapNode):
    """One of three nodes, each of which holds every key. A client may ask any of them.

    You have, from GivenCapNode:
      self.consistent                   True for cp, False for ap
      self.missing()                    the nodes that are silent, or were and have not exchanged copies with
                                        this one since; [] if all is well
      await self.has_begun()            wait until this node knows what it missed while it was down; False if
                                        it still does not after one time-out
      self.held(key)                    the copy held here: a Version, a tombstone, or None
      self.stamp(key)                   the stamp_ms of a write that is made now
      self.hold(key, version)           hold it here. Nobody else is known to have it: it is in doubt
      await self.confirm(key, version)  have all nodes hold it; then it is in doubt no more. Raises
                                        ReplicasMissing: some hold it, and some perhaps do not
      self.spread(key, version)         work: the same, without an error; who is silent is told later
      self.env.later(work)              do this in the background
      self.in_doubt(key)                the version of this key that is in doubt, or None
      self.locked(), self.doubtful(), self.busy()     the errors to raise

    A delete is there already. It does what a put does, with your methods.
    """

    reconcile = staticmethod(reconcile)  # whenever two copies of a key meet, this is called

    async def put(self, key: Key, item: Item, w: int | None = None) -> None:
        """Write `item` with the stamp of now, if writes are taken at all. `w` has no meaning yet."""
        raise NotImplementedError

    async def get(self, key: Key, r: int | None = None) -> Version | None:
        """What is held here; None for nothing, and for a tombstone. `r` has no meaning yet.

        With cp: raises busy() if this node does not know yet what it missed, and is not answered before what
        is held here is beyond doubt.
        """
        raise NotImplementedError

    async def unlocked(self) -> None:
        """Return if a write may be taken. With cp, raises locked() while anybody is missing.

        A node that has just been started waits first, as far as it can, until it knows what it missed.
        """
        raise NotImplementedError

    async def write(self, key: Key, version: Version) -> None:
        """Hold this version here and bring it to the others.

        With cp, it is done when all nodes have it. With ap, at once; the others are told in the background.
        """
        raise NotImplementedError

    async def beyond_doubt(self, key: Key) -> None:
        """Return when the copy held here is known to be everywhere. With cp alone this is asked.

        What is in doubt is confirmed first, if nobody is missing. If somebody is, or turns out to be, nobody
        may be told of it: raises doubtful().
        """
        raise NotImplementedError
