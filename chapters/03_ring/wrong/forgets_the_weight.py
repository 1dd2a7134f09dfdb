"""As many tokens for a large machine as for a small one.

Caught by: check_weight_is_a_number_of_tokens
"""

from solution import Ring, joined, left

from kvlab.core.hashing import token

__all__ = ["Ring", "joined", "left", "tokens_of"]


def tokens_of(member, vnodes):
    return [token(f"{member.node}#{i}".encode()) for i in range(vnodes)]
