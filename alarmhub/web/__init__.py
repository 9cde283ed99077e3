"""The hub over HTTP: signals in, answers in, alarms and their time lines out (design.md section 5).

`api.Api` is the way in; `routes` is the table of what exists and who may use it. The package refuses to
decide anything about alarms: it checks what came, asks `Intake`, `Desk` or `Store`, and says the outcome.
"""
