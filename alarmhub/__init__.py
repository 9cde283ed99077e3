"""Alarmhub: takes alarms in, decides whom to ring, and tells nobody "acknowledged" before it is stored.

The map, from the inside out (imports point inwards only):

- `core`      pure decisions: state, event, roster and time in; new state, effects and reasons out
- `ports`     what the engine needs from the world
- `engine`    queue, batch, decide, commit; outbox, deadlines, lease
- `inbound`, `gateway`, `push`, `web`, `store`   the edges; they do not know each other
- `settings`, `site`   what a site states in TOML
- `app`       the only place that composes

Not here: wire formats (`protocols`) and the load generator (`load`).
"""

__version__ = "0.1.0"
