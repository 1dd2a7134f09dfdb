"""The pitfalls, as bugs: each function puts one back into the nodes of this process, for one test.

They are written as somebody might write them who has not met the pitfall yet.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

import msgspec
import pytest

from kvlab.core import clocks, merkle, placement
from kvlab.core.detectors import Belief
from kvlab.core.hints import HintBox
from kvlab.core.membership import AwakeClock, Changes, Membership
from kvlab.core.quorum import Tally
from kvlab.core.ring import Ring
from kvlab.errors import OperationError, Outcome, ReplicasMissing
from kvlab.messages import (
    NOTHING,
    Actor,
    Context,
    Copy,
    HandBack,
    Item,
    Key,
    KeyRange,
    NodeId,
    Row,
    Siblings,
    TookBack,
    Version,
)
from kvlab.services import anti_entropy, ring_change
from kvlab.services.actors import Actors
from kvlab.services.anti_entropy import AntiEntropy
from kvlab.services.handoff import Handoff
from kvlab.services.members import Members
from kvlab.services.read_repair import ReadRepair
from kvlab.services.transfer import Transfer
from kvlab.stages import s05_quorum, s06_clocks
from kvlab.stages.s06_clocks import ClocksNode


def unknown_is_called_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A quorum that was missed is an error, and after an error nothing has been written."""
    missing = Tally.missing

    def failed(self: Tally, doing: str, error: type[ReplicasMissing] = ReplicasMissing) -> ReplicasMissing:
        told = missing(self, doing, error)
        told.outcome = Outcome.FAILED
        return told

    monkeypatch.setattr(Tally, "missing", failed)


def tokens_are_taken_for_nodes(monkeypatch: pytest.MonkeyPatch) -> None:
    """The owners of the next n tokens hold a key."""

    def next_tokens(ring: Ring, slot: int, n: int) -> list[NodeId]:
        owners = ring.clockwise(slot)
        return list(dict.fromkeys(next(owners) for _ in range(n)))

    monkeypatch.setattr(placement, "preference_list", next_tokens)


def zones_are_not_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    """The next n distinct nodes hold a key, wherever they stand."""

    def next_nodes(ring: Ring, slot: int, n: int) -> list[NodeId]:
        return list(dict.fromkeys(ring.clockwise(slot)))[:n]

    monkeypatch.setattr(placement, "preference_list", next_nodes)


def what_expires_leaves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def expired(self: Version, now_ms: int) -> Version | None:
        return None if self.expires_ms is not None and self.expires_ms <= now_ms else self

    monkeypatch.setattr(Version, "expired", expired)


def writes_are_not_passed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """The heirs of a key have what was streamed to them, and nothing later."""

    async def pass_on(self: Transfer[Any], key: Key, copy: Copy | None) -> None:
        return

    monkeypatch.setattr(Transfer, "pass_on", pass_on)


def the_first_of_a_tie_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only a later stamp replaces a value."""

    def newest(a: Version | None, b: Version | None) -> Version | None:
        if a is None or b is None:
            return a or b
        return b if b.stamp_ms > a.stamp_ms else a

    monkeypatch.setattr(s05_quorum, "newest", newest)


def late_answers_are_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who is behind among the R that were counted is repaired, and nobody else."""

    async def after(self: ReadRepair[Any], key: Key, answers: Any, late: Iterable[Any]) -> None:
        await self._mend(key, answers)

    monkeypatch.setattr(ReadRepair, "after", after)


# -- stage 6 -------------------------------------------------------------------------------------


def siblings_share_one_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """A version vector for the key, none for each sibling: who has not seen all of it replaces none of it."""

    def write_all_or_nothing(
        held: Siblings | None, context: Context, actor: Actor, *write: Any
    ) -> tuple[Siblings, Context]:
        seen_all = held is None or clocks.descends(context.clock, held.context.clock)
        replaces = held.context if held is not None and seen_all else NOTHING
        written, seen = clocks.written(held, replaces, actor, *write)
        return written, clocks.joined(context, seen)

    monkeypatch.setattr(s06_clocks, "written", write_all_or_nothing)


def writers_count_for_themselves(monkeypatch: pytest.MonkeyPatch) -> None:
    """A write is numbered after what its writer has seen, and not after what the replica knows."""

    def numbered_by_context(
        held: Siblings | None, context: Context, actor: Actor, *write: Any
    ) -> tuple[Siblings, Context]:
        alone, seen = clocks.written(None, context, actor, *write)
        return clocks.merged(alone, held), seen

    monkeypatch.setattr(s06_clocks, "written", numbered_by_context)


def any_coordinator_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who is asked by a client does not look for a replica to number the write."""

    async def forward(self: ClocksNode, key: Key, item: Item | None, w: int, context: Context) -> Context:
        found = await self.read(key, self.r)
        value = None if item is None else item.value
        copy, seen = clocks.written(found, context, Actor(self.env.me), value, self.env.now_ms())
        await self.write(key, clocks.pruned(copy, self.config.prune), w)
        return seen

    monkeypatch.setattr(ClocksNode, "forward", forward)


def blind_writes_have_seen_all(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who says nothing of what he has seen means what is there."""

    def write_over(
        held: Siblings | None, context: Context, actor: Actor, *write: Any
    ) -> tuple[Siblings, Context]:
        return clocks.written(held, context if held is None else held.context, actor, *write)

    monkeypatch.setattr(s06_clocks, "written", write_over)


def nodes_are_actors(monkeypatch: pytest.MonkeyPatch) -> None:
    """A node numbers its writes under its own name, in whatever life, and whatever it has forgotten."""

    def next_actor(self: Actors, key: Key, held: Siblings | None) -> Actor:
        return Actor(self.env.me)

    monkeypatch.setattr(Actors, "next", next_actor)


# -- stage 7 -------------------------------------------------------------------------------------


def pauses_count_as_silence(monkeypatch: pytest.MonkeyPatch) -> None:
    """Silence is measured by the clock on the wall."""

    def read(self: AwakeClock, now_ms: float) -> float:
        return now_ms

    monkeypatch.setattr(AwakeClock, "read", read)


def heartbeats_alone_are_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of two rows the one with the higher heartbeat is the later; in which life it beat, nobody asks."""
    hear = Membership._hear

    def regardless_of_lives(self: Membership, row: Row, now: float) -> None:
        entry = self._entries.get(row.node)
        generation = row.generation if entry is None else entry.generation
        hear(self, msgspec.structs.replace(row, generation=generation), now)

    monkeypatch.setattr(Membership, "_hear", regardless_of_lives)
    monkeypatch.setattr(Membership, "_hear_of_me", lambda self, row: None)


def hearsay_is_a_sign_of_life(monkeypatch: pytest.MonkeyPatch) -> None:
    """A node taken for dead is alive again when somebody knows nothing of its death."""
    hear = Membership._hear

    def believe(self: Membership, row: Row, now: float) -> None:
        hear(self, row, now)
        if not row.accusers and self.belief(row.node) is Belief.FAILED:
            self._entries[row.node].beat(row, now)

    monkeypatch.setattr(Membership, "_hear", believe)


def who_failed_is_struck_off(monkeypatch: pytest.MonkeyPatch) -> None:
    """A node that is believed failed is taken off the ring, and its keys get new homes."""
    tell = Members._tell

    async def strike(self: Members, node: NodeId) -> None:
        try:
            await ring_change.leave(self.transfer, node, (node,))
        except OperationError:
            return  # another one does it

    def act(self: Members, changes: Changes) -> None:
        tell(self, changes)
        for node, belief in changes:
            if belief is Belief.FAILED:
                self.env.later(strike(self, node))

    monkeypatch.setattr(Members, "_tell", act)


# -- stage 8 ---------------------------------------------------------------------------------------


def any_healthy_node_stands_in(monkeypatch: pytest.MonkeyPatch) -> None:
    """The next healthy node clockwise takes the copy, whatever it holds."""

    def stand_in(
        self: placement.Placement, key: Key, healthy: Collection[NodeId], taken: Collection[NodeId]
    ) -> NodeId | None:
        return next((node for node in self.ring.clockwise(self.ring.slot(key)) if node in healthy), None)

    monkeypatch.setattr(placement.Placement, "stand_in", stand_in)


def hints_are_deleted_when_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    due = HintBox.due

    def sent(
        self: HintBox[Siblings], owner: NodeId, now_ms: int, keys_max: int, bytes_max: int
    ) -> list[tuple[Key, Siblings]]:
        chunk = due(self, owner, now_ms, keys_max, bytes_max)
        for key, copy in chunk:
            self.delivered(owner, key, copy)
        return chunk

    monkeypatch.setattr(HintBox, "due", sent)


def hints_overwrite(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was kept for me is what I missed."""

    async def on_hand_back(self: Handoff[Siblings], sender: NodeId, request: HandBack[Siblings]) -> TookBack:
        for key, copy in request.copies:
            self.transfer.store.put(key, copy, self.env.now_ms())
        return TookBack()

    monkeypatch.setattr(Handoff, "on_hand_back", on_hand_back)


# -- stage 9 -------------------------------------------------------------------------------------


def hints_expire_by_the_clock_on_the_wall(monkeypatch: pytest.MonkeyPatch) -> None:
    """When a hint expires is a time of day."""
    monkeypatch.setattr(Handoff, "_now_ms", lambda self: self.env.now_ms())


def each_reaps_for_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    """A tombstone that is old enough is not needed any more."""

    async def reap(self: AntiEntropy) -> None:
        for key, (_, since_ms) in list(self._tombstones.items()):
            if self._awake_ms - since_ms >= self.config.grace_ms:
                self.store.remove(key, "reaped")

    monkeypatch.setattr(AntiEntropy, "reap", reap)


def what_expires_takes_its_context_along(monkeypatch: pytest.MonkeyPatch) -> None:
    """A value that has expired is gone, as if it had never been."""

    def expired(self: Siblings, now_ms: int) -> Siblings | None:
        return None if self.expires_ms is not None and self.expires_ms <= now_ms else self

    monkeypatch.setattr(Siblings, "expired", expired)


def copies_are_hashed_as_they_come(monkeypatch: pytest.MonkeyPatch) -> None:
    """Siblings stand in the order in which they came, and the hash is that of the bytes."""
    monkeypatch.setattr(clocks, "_in_order", tuple)
    monkeypatch.setattr(anti_entropy, "digest_of", lambda copy: merkle.hash_of(msgspec.msgpack.encode(copy)))


def repairs_overwrite(monkeypatch: pytest.MonkeyPatch) -> None:
    """What differs is replaced by the peer's copy."""

    def absorb(self: AntiEntropy, shared: KeyRange, key: Key, copy: Siblings) -> bool:
        self.store.put(key, copy, self.env.now_ms())
        return True

    monkeypatch.setattr(AntiEntropy, "_absorb", absorb)


def trees_are_never_rebuilt(monkeypatch: pytest.MonkeyPatch) -> None:
    async def rebuild(self: AntiEntropy) -> None:
        return

    monkeypatch.setattr(AntiEntropy, "rebuild", rebuild)
