"""Counts the bytes of the copies alone: a chunk of long keys is larger than it may be.

Caught by: check_due_is_a_chunk_in_order
"""

from solution import HintBox as Reference
from solution import Placement, hand_back

__all__ = ["HintBox", "Placement", "hand_back"]


class HintBox(Reference):
    def due(self, owner, now_ms, keys_max, bytes_max):
        chunk, size = [], 0
        for key, hint in self.hints.get(owner, {}).items():
            if hint.expires_ms <= now_ms:
                continue
            size += hint.copy.size
            if chunk and (len(chunk) == keys_max or size > bytes_max):
                break
            chunk.append((key, hint.copy))
        return chunk
