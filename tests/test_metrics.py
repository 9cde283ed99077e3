"""The instruments: what is measured comes out under a fixed name, per hub."""

from __future__ import annotations

from prometheus_client.parser import text_string_to_metric_families

from alarmhub.metrics import Metrics


def read(metrics: Metrics) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    """All samples as a scraper sees them: (name, labels) → value."""
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(metrics.render().decode())
        for sample in family.samples
    }


def value(metrics: Metrics, name: str, **labels: str) -> float:
    """One sample."""
    return read(metrics)[name, frozenset(labels.items())]


def test_everything_asked_for_is_there() -> None:
    """Each instrument of the contract can be scraped."""
    names = {family.name for family in text_string_to_metric_families(Metrics().render().decode())}

    assert names >= {
        "alarmhub_alarms",
        "alarmhub_time_to_commit_seconds",
        "alarmhub_time_to_rang_seconds",
        "alarmhub_time_to_accepted_seconds",
        "alarmhub_escalation_lateness_seconds",
        "alarmhub_open_deadlines",
        "alarmhub_phones",
        "alarmhub_batch_events",
        "alarmhub_loop_lag_seconds",
        "alarmhub_signals",
        "alarmhub_refusals",
    }


def test_a_duration_falls_into_its_bucket() -> None:
    """4 ms to commit counts from the 5 ms bucket on, and not below."""
    metrics = Metrics()
    metrics.commit_s.labels("high").observe(0.004)

    assert value(metrics, "alarmhub_time_to_commit_seconds_bucket", priority="high", le="0.003") == 0
    assert value(metrics, "alarmhub_time_to_commit_seconds_bucket", priority="high", le="0.005") == 1
    assert value(metrics, "alarmhub_time_to_commit_seconds_count", priority="high") == 1


def test_a_phase_that_empties_goes_to_zero() -> None:
    """The tally of alarms by phase never keeps an old number."""
    metrics = Metrics()
    metrics.set_alarms({"ringing": 2, "accepted": 1})
    metrics.set_alarms({"ringing": 1})

    assert value(metrics, "alarmhub_alarms", phase="ringing") == 1
    assert value(metrics, "alarmhub_alarms", phase="accepted") == 0


def test_an_instrument_is_the_same_however_it_is_found() -> None:
    """Found quicker, it counts in the family's own."""
    metrics = Metrics()
    metrics.of(metrics.commit_s, "high").observe(0.004)
    metrics.of(metrics.commit_s, "high").observe(0.004)
    metrics.commit_s.labels("high").observe(0.004)

    assert value(metrics, "alarmhub_time_to_commit_seconds_count", priority="high") == 3


def test_a_reach_that_empties_goes_to_zero() -> None:
    """The same for devices by reach."""
    metrics = Metrics()
    metrics.set_phones({"live": 10})
    metrics.set_phones({"recent": 10})

    assert value(metrics, "alarmhub_phones", reach="live") == 0
    assert value(metrics, "alarmhub_phones", reach="recent") == 10


def test_counters_count_by_source_and_outcome() -> None:
    """Signals and refusals are told apart."""
    metrics = Metrics()
    metrics.signals.labels("plant-201", "new").inc()
    metrics.signals.labels("plant-201", "new").inc()
    metrics.refusals.labels("api", "body_too_large").inc()

    assert value(metrics, "alarmhub_signals_total", source="plant-201", outcome="new") == 2
    assert value(metrics, "alarmhub_refusals_total", door="api", reason="body_too_large") == 1


def test_two_hubs_in_one_process_do_not_mix() -> None:
    """Each has a registry of its own."""
    first, second = Metrics(), Metrics()
    first.open_deadlines.set(7)

    assert value(first, "alarmhub_open_deadlines") == 7
    assert value(second, "alarmhub_open_deadlines") == 0


def test_what_is_dear_to_count_is_counted_when_it_is_read() -> None:
    """Not before, and anew each time."""
    metrics = Metrics()
    counted: list[int] = []

    def count() -> None:
        counted.append(1)
        metrics.set_phones({"live": len(counted)})

    metrics.on_render.append(count)
    assert not counted
    assert b'alarmhub_phones{reach="live"} 1.0' in metrics.render()
    assert b'alarmhub_phones{reach="live"} 2.0' in metrics.render()
