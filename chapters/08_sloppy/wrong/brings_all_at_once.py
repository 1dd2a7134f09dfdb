"""It goes on until nothing is left, and buries an owner that has just come up.

Caught by: check_one_chunk_at_a_time
"""

from solution import HintBox, Placement
from solution import hand_back as one_chunk

__all__ = ["HintBox", "Placement", "hand_back"]


async def hand_back(box, owner, send, now_ms):
    gone = []
    while box.due(owner, now_ms, 1, 0):
        gone += await one_chunk(box, owner, send, now_ms)
    return gone
