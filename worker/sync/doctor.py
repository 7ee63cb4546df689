"""
Examines an installation from outside in: settings, database, broker, community, org.
Writes nothing anywhere; each finding that is not fine says what cures it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from worker.aurora.client import check
from worker.database import migration_config
from worker.errors import ConfigurationError
from worker.sync import checkup_community, checkup_crm
from worker.sync.findings import Finding, bad, good
from worker.sync.reach import broker_problem, database_problem

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime

    from worker.aurora.client import AuroraClient
    from worker.database import Database
    from worker.domain.feature_settings import FeatureSettings
    from worker.salesforce.client import SalesforceClient
    from worker.settings import Settings


class Patient(NamedTuple):
    """What is examined. The adapters come as functions: making them may fail, too."""

    settings: Settings
    database: Database
    features: Callable[[], FeatureSettings]
    aurora: Callable[[], AuroraClient]
    salesforce: Callable[[], SalesforceClient]


def examine(patient: Patient, now: Callable[[], datetime]) -> Iterator[Finding]:
    """Yield findings as they are made; a remote that is away ends only its own part."""
    yield from _settings(patient.settings)
    usable = True
    for finding in _database(patient.database):
        usable = usable and finding.ok
        yield finding
    yield from _broker(patient.settings)
    if not usable:
        # Tokens are kept in the database: without it nobody can sign in anywhere.
        return
    features = patient.features()
    yield from checkup_community.examine(patient.settings, patient.aurora(), now)
    yield from checkup_crm.examine(
        patient.settings, patient.salesforce(), features, now
    )


def _settings(settings: Settings) -> Iterator[Finding]:
    problems = check(settings.aurora)
    for problem in problems:
        yield bad("settings", "community", problem, "see docs/configuration.md")
    if not problems:
        yield good("settings", "complete", "every variable is there and fits")
    if not settings.admin.token.get_secret_value():
        yield good(
            "settings",
            "admin token",
            "SYNC_ADMIN__TOKEN is not set: the admin endpoint answers 503",
        )


def _database(database: Database) -> Iterator[Finding]:
    problem = database_problem(database)
    if problem:
        cure = "check SYNC_DATABASE_URL and SYNC_HOME; then `aurora-sync db upgrade`"
        yield bad("database", "reach", problem, cure)
        return
    yield good("database", "reach", f"{database.url.get_backend_name()} answers")
    with database.read() as connection:
        present = MigrationContext.configure(connection).get_current_heads()
        scripts = ScriptDirectory.from_config(migration_config(connection))
        wanted = tuple(scripts.get_heads())
    if set(present) == set(wanted):
        yield good("database", "migrations", f"at {', '.join(wanted)}")
    else:
        found = ", ".join(present) or "no tables"
        yield bad("database", "migrations", found, "`aurora-sync db upgrade`")


def _broker(settings: Settings) -> Iterator[Finding]:
    embedded = not settings.broker_url
    try:
        problem = broker_problem(settings)
    except ConfigurationError as error:
        what = "; ".join(error.problems)
        yield bad("broker", "embedded", what, "set SYNC_BROKER_URL")
        return
    if problem and embedded:
        # Not a fault: only the long-running commands need it, and `start` brings it.
        yield good("broker", "embedded", "rests until `aurora-sync start`")
    elif problem:
        yield bad("broker", "reach", problem, "check SYNC_BROKER_URL")
    else:
        yield good("broker", "reach", "answers")
