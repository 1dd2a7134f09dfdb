"""The hints are taken out, and put back if the owner was silent: in between nobody has them.

Caught by: check_nothing_is_forgotten_before_it_is_confirmed
"""

from solution import HintBox, Placement

from kvlab.course.given import CHUNK_BYTES, CHUNK_KEYS
from kvlab.errors import OperationError

__all__ = ["HintBox", "Placement", "hand_back"]


async def hand_back(box, owner, send, now_ms):
    chunk = box.due(owner, now_ms, CHUNK_KEYS, CHUNK_BYTES)
    gone = [key for key, copy in chunk if box.delivered(owner, key, copy)]
    try:
        await send(chunk)
    except OperationError:
        for key, copy in chunk:
            box.add(owner, key, copy, now_ms)
        raise
    return gone
