"""Sources in: one adapter per protocol, each turning its peer's words into signals for the engine.

`stream` drives any codec of `protocols` over TCP; `mapping` turns a plant's words into a place and a kind;
`espa` is the ESPA 4.4.4 adapter; `supervision` tells when a link is down. Adapters do not know each other,
nor the store, the phones or the pages, and none answers a source before the commit.
"""
