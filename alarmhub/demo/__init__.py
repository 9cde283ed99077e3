"""The demo: a hospital to watch (`demo`), and a scenario that judges itself (`demo --once`)."""
