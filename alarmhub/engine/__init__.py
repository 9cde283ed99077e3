"""Takes events in, decides them in batches, commits, and only then answers and shows.

One writer per shard (design.md section 3). `engine.py` is the door, `writer.py` the loop, `fold.py` turns a
batch of events into rows, `state.py` is the committed truth in memory, `outbox.py` carries effects out.
It refuses wire formats, sockets and SQL: those come in through `alarmhub.ports`.
"""
