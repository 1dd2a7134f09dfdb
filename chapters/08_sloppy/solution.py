"""The reference of chapter 8. Only `hand_back` waits, and what it waits for decides what may be forgotten."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Sequence
from functools import reduce
from typing import Generic

from kvlab.core.hints import Hint
from kvlab.course.given import CHUNK_BYTES, CHUNK_KEYS, GivenHintBox, GivenPlacement
from kvlab.errors import HintsFull
from kvlab.messages import C, Key, NodeId


class Placement(GivenPlacement):
    def stand_ins(self, key: Key, healthy: Collection[NodeId]) -> list[tuple[NodeId, NodeId]]:
        homes = self.replicas(key)
        places = {home: home for home in homes if home in healthy}
        for home in homes:
            if home not in healthy:
                places[home] = self.stand_in(key, healthy, places.values()) or home
        return [(home, places[home]) for home in homes]

    def stand_in(self, key: Key, healthy: Collection[NodeId], taken: Collection[NodeId]) -> NodeId | None:
        excluded = [*self.replicas(key), *taken]
        free = [node for node in self.clockwise(key) if node in healthy and node not in excluded]
        zones = {self.zone(node) for node in taken}
        return next((node for node in free if self.zone(node) not in zones), free[0] if free else None)


class HintBox(GivenHintBox[C], Generic[C]):
    def merged(self, old: Hint[C], new: Hint[C]) -> Hint[C]:
        copy = self.merge(old.copy, new.copy)
        if copy == new.copy:
            return new
        if copy == old.copy:
            return old
        return Hint(copy, min(old.expires_ms, new.expires_ms))

    def add(self, owner: NodeId, key: Key, copy: C, now_ms: int) -> Hint[C]:
        old = self.find(owner, key)
        if old is not None and old.expires_ms <= now_ms:
            self.remove(owner, key)
        elif old is None and len(self) >= self.hints_max:
            raise HintsFull(f"{self.hints_max} hints are kept already; they go as their owners come back")
        return self.restore(owner, key, Hint(copy, now_ms + self.ttl_ms))

    def get(self, key: Key, now_ms: int) -> C | None:
        found = [hints[key] for hints in self.hints.values() if key in hints]
        copies = [hint.copy for hint in found if hint.expires_ms > now_ms]
        return reduce(self.merge, copies) if copies else None

    def due(self, owner: NodeId, now_ms: int, keys_max: int, bytes_max: int) -> list[tuple[Key, C]]:
        chunk: list[tuple[Key, C]] = []
        size = 0
        for key, hint in self.hints.get(owner, {}).items():
            if hint.expires_ms <= now_ms:
                continue
            size += len(key) + hint.copy.size
            if chunk and (len(chunk) == keys_max or size > bytes_max):
                break
            chunk.append((key, hint.copy))
        return chunk

    def delivered(self, owner: NodeId, key: Key, copy: C) -> bool:
        hint = self.find(owner, key)
        if hint is None or hint.copy != copy:
            return False
        self.remove(owner, key)
        return True

    def expire(self, now_ms: int) -> list[tuple[NodeId, Key]]:
        late = [
            (owner, key)
            for owner, hints in self.hints.items()
            for key, hint in hints.items()
            if hint.expires_ms <= now_ms
        ]
        for owner, key in late:
            self.remove(owner, key)
        return late


async def hand_back(
    box: HintBox[C], owner: NodeId, send: Callable[[Sequence[tuple[Key, C]]], Awaitable[object]], now_ms: int
) -> list[Key]:
    chunk = box.due(owner, now_ms, CHUNK_KEYS, CHUNK_BYTES)
    await send(chunk)
    return [key for key, copy in chunk if box.delivered(owner, key, copy)]
