"""Wire formats without I/O: bytes in, events out; messages in, bytes out.

One module per protocol, all with the interface of `protocols.codec`. A codec never raises on what a peer
sends, never reads a clock (time is an argument) and never imports `alarmhub`.
"""
