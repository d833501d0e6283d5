"""Bench: implementations of one operation, certified first, then raced on this machine.

A wrong implementation is not timed: how fast it is wrong is of no interest. The others run in interleaved
rounds, so that what else the machine does falls on all of them alike, and are compared round by round.
"""
