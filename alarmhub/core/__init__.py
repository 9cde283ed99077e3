"""The rules of the hub, as plain functions over frozen values.

Everything that decides who is told, when the next step rings and when an alarm is over lives here.
The package refuses I/O, clocks, randomness and logging: time, ids, roster and reach come in as
arguments, what should be done goes out as values. Read `decide.py` first, then `escalation.py`.
"""
