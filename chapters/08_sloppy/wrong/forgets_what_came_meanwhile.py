"""After the answer all that is kept under the keys of the chunk is forgotten.

Caught by: check_what_came_meanwhile_stays
"""

from solution import HintBox, Placement

from kvlab.course.given import CHUNK_BYTES, CHUNK_KEYS

__all__ = ["HintBox", "Placement", "hand_back"]


async def hand_back(box, owner, send, now_ms):
    chunk = box.due(owner, now_ms, CHUNK_KEYS, CHUNK_BYTES)
    await send(chunk)
    for key, _ in chunk:
        box.remove(owner, key)
    return [key for key, _ in chunk]
