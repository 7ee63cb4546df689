"""
The numbers of `/metrics`, made from the same status that people see. Read from the
database at each scrape, so that several processes never tell different numbers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client import CONTENT_TYPE_LATEST as CONTENT_TYPE
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily

from worker.sync import report

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from worker.store import Store
    from worker.sync.views import CommunityView, RunView, StreamView

__all__ = ["CONTENT_TYPE", "render"]

_PER_STREAM = ("community", "stream")


def render(store: Store, now: datetime) -> bytes:
    """Return the exposition text."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Numbers(report.status(store, now).communities, now))
    return generate_latest(registry)


class _Numbers:
    """One scrape: a collector as prometheus-client wants it."""

    def __init__(self, communities: list[CommunityView], now: datetime) -> None:
        self._communities = communities
        self._now = now

    def collect(self) -> Iterable[GaugeMetricFamily]:
        families = _families()
        for community in self._communities:
            self._community(families, community)
            for stream in community.streams:
                self._stream(families, community.community, stream)
        return families.values()

    def _community(
        self, families: dict[str, GaugeMetricFamily], community: CommunityView
    ) -> None:
        name = community.community
        active = community.connection == "active"
        families["connection_active"].add_metric([name], int(active))
        org = community.usage.org
        if org is not None:
            families["org_calls_used"].add_metric([name], org.used)
            families["org_calls_allowed"].add_metric([name], org.allowed)
        for spent in community.usage.by_stream:
            for remote, calls in spent.calls.model_dump().items():
                labels = [name, spent.stream, remote]
                families["calls_today"].add_metric(labels, calls)

    def _stream(
        self, families: dict[str, GaugeMetricFamily], name: str, stream: StreamView
    ) -> None:
        labels = [name, stream.stream]

        def add(family: str, value: float, *more: str) -> None:
            families[family].add_metric([*labels, *more], value)

        add("failures_open", stream.backlog.failures)
        add("slow_fields_waiting", stream.backlog.slow_fields)
        add("linked", stream.members.linked)
        for state, number in stream.members.by_state.items():
            add("members", number, state)
        add("running", int(stream.running is not None))
        if stream.running:
            add("run_age", stream.running.seconds or 0)
        if stream.last_run:
            _last_run(families, labels, stream.last_run)
        if stream.last_success_at:
            age = (self._now - stream.last_success_at).total_seconds()
            add("last_success_age", age)
        if stream.next_sync_at:
            late = (self._now - stream.next_sync_at).total_seconds()
            add("overdue", max(0.0, late))


def _last_run(
    families: dict[str, GaugeMetricFamily], labels: list[str], run: RunView
) -> None:
    for outcome, number in run.counts.model_dump().items():
        families["last_run_records"].add_metric([*labels, outcome], number)
    families["last_run_seconds"].add_metric(labels, run.seconds or 0)
    succeeded = run.state == "succeeded"
    families["last_run_succeeded"].add_metric(labels, int(succeeded))


# Family, name without prefix, help, labels.
_SHAPES: tuple[tuple[str, str, str, tuple[str, ...]], ...] = (
    (
        "connection_active",
        "connection_active",
        "Whether the community's streams run",
        ("community",),
    ),
    (
        "org_calls_used",
        "org_api_calls_used",
        "The org's calls of the last 24 hours, by everybody",
        ("community",),
    ),
    (
        "org_calls_allowed",
        "org_api_calls_allowed",
        "The org's daily calls",
        ("community",),
    ),
    (
        "calls_today",
        "calls_today",
        "Our calls since midnight UTC",
        (*_PER_STREAM, "remote"),
    ),
    ("failures_open", "failures_open", "Parked records", _PER_STREAM),
    (
        "slow_fields_waiting",
        "slow_fields_waiting",
        "Members whose roles and rating wait for their turn",
        _PER_STREAM,
    ),
    ("members", "members", "Members known, by state", (*_PER_STREAM, "state")),
    ("linked", "members_linked", "Members linked to a Contact", _PER_STREAM),
    ("running", "running", "Whether a run is queued or at work", _PER_STREAM),
    ("run_age", "run_age_seconds", "Age of the run at work", _PER_STREAM),
    (
        "last_run_records",
        "last_run_records",
        "Records of the last finished run, by outcome",
        (*_PER_STREAM, "outcome"),
    ),
    (
        "last_run_seconds",
        "last_run_seconds",
        "Duration of the last finished run",
        _PER_STREAM,
    ),
    (
        "last_run_succeeded",
        "last_run_succeeded",
        "Whether the last finished run succeeded",
        _PER_STREAM,
    ),
    (
        "last_success_age",
        "last_success_age_seconds",
        "Time since a run last succeeded",
        _PER_STREAM,
    ),
    (
        "overdue",
        "overdue_seconds",
        "How long a due run has been waiting to be claimed",
        _PER_STREAM,
    ),
)


def _families() -> dict[str, GaugeMetricFamily]:
    return {
        key: GaugeMetricFamily(f"aurora_sync_{name}", text, labels=labels)
        for key, name, text, labels in _SHAPES
    }
