"""Believes of itself that it has left, of whatever life that is said: its generation goes backwards.

Caught by: check_who_has_forgotten_its_lives_begins_a_later_one
"""

from solution import *
from solution import GivenMembers
from solution import Members as Given
from solution import Membership as Reference


class Membership(Reference):
    def hear_of_me(self, row):
        if row.left and not self.departed:
            self.generation, self.heartbeat = row.generation + 1, 0
        else:
            super().hear_of_me(row)


class Members(Given):
    def __init__(self, env, config, transfer):
        GivenMembers.__init__(self, env, config, transfer, Membership)
