"""The hints are forgotten, and then sent.

Caught by: check_a_silent_owner_loses_nothing
"""

from solution import HintBox, Placement

from kvlab.course.given import CHUNK_BYTES, CHUNK_KEYS

__all__ = ["HintBox", "Placement", "hand_back"]


async def hand_back(box, owner, send, now_ms):
    chunk = box.due(owner, now_ms, CHUNK_KEYS, CHUNK_BYTES)
    gone = [key for key, copy in chunk if box.delivered(owner, key, copy)]
    await send(chunk)
    return gone
