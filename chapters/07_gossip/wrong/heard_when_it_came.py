"""Takes news for as young as their arrival, however long they were on their way.

Caught by: check_a_later_heartbeat_makes_it_young_again
"""

import msgspec
from solution import *
from solution import GivenMembers
from solution import Members as Given
from solution import Membership as Reference


class Membership(Reference):
    def hear(self, row, now):
        super().hear(msgspec.structs.replace(row, age_ms=0), now)


class Members(Given):
    def __init__(self, env, config, transfer):
        GivenMembers.__init__(self, env, config, transfer, Membership)
