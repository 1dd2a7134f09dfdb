"""Takes the generation that others know, and begins its heartbeats again in it.

Caught by: check_who_has_forgotten_its_lives_begins_a_later_one
"""

from solution import *
from solution import GivenMembers
from solution import Members as Given
from solution import Membership as Reference


class Membership(Reference):
    def hear_of_me(self, row):
        if row.generation > self.generation:
            self.generation, self.heartbeat = row.generation, 0
        else:
            super().hear_of_me(row)


class Members(Given):
    def __init__(self, env, config, transfer):
        GivenMembers.__init__(self, env, config, transfer, Membership)
