"""Begins a later life whenever it is said to have left, also when it has.

Caught by: check_who_is_said_to_have_left_and_has_not
"""

from solution import *
from solution import GivenMembers
from solution import Members as Given
from solution import Membership as Reference


class Membership(Reference):
    def hear_of_me(self, row):
        departed, self.departed = self.departed, False
        super().hear_of_me(row)
        self.departed = departed


class Members(Given):
    def __init__(self, env, config, transfer):
        GivenMembers.__init__(self, env, config, transfer, Membership)
