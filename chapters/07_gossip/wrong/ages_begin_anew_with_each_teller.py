"""Hands news on as if they had been heard this moment.

Caught by: check_what_is_heard_is_told_and_grows_older
"""

import msgspec
from solution import *
from solution import GivenMembers
from solution import Members as Given
from solution import Membership as Reference


class Membership(Reference):
    def row(self, entry, now):
        return msgspec.structs.replace(super().row(entry, now), age_ms=0)


class Members(Given):
    def __init__(self, env, config, transfer):
        GivenMembers.__init__(self, env, config, transfer, Membership)
