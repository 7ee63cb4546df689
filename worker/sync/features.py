"""The feature settings as stored: read whole, changed whole, every key checked."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from worker.domain.feature_settings import FeatureSettings
from worker.domain.records import Stream

if TYPE_CHECKING:
    from collections.abc import Mapping

    from worker.store import Store


def current_settings(store: Store, community: str) -> FeatureSettings:
    return FeatureSettings.from_mapping(store.communities.settings(community))


def change_settings(
    store: Store, community: str, changes: Mapping[str, object]
) -> FeatureSettings:
    """
    Change some settings, all or none; the interval counts from the next tick on.

    Raises ValueError naming every wrong key and what it accepts.
    """
    settings = current_settings(store, community)
    problems = []
    for key, value in changes.items():
        try:
            settings = settings.changed(key, value)
        except ValueError as problem:
            problems.append(str(problem))
    if problems:
        raise ValueError("; ".join(problems))
    store.communities.change_settings(community, dict(settings.as_dict()))
    if "sync_interval_minutes" in changes:
        interval = timedelta(minutes=settings.sync_interval_minutes)
        store.streams.set_interval(community, Stream.MEMBERS, interval)
    if "user_synchronization" in changes:
        store.streams.set_enabled(
            community, Stream.MEMBERS, enabled=settings.user_synchronization
        )
    return settings
