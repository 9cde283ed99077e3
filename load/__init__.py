"""The load generator: simulated sources and phones, measuring rules, reports.

It speaks to a hub only through sockets and shares no code with it, so that an error in the hub cannot hide in
the measurement. Wire formats come from `protocols`.
"""
