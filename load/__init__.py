"""Simulators and measurements: everything that plays the world around the hub.

This package talks only the hub's outer contract: HTTP, phone WebSocket frames, ESPA bytes and the
command line. It shares no code with the hub, so that a fault in the hub cannot hide in the ruler it
is measured with.
"""
