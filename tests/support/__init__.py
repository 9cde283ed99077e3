"""What tests share: a clock that stands still, waiting for a condition, fakes that behave.

The only place under `tests/` where anything sleeps.
"""
