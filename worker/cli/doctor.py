"""`aurora-sync doctor`: checks both sides and says what cures what is wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from worker import clock
from worker.bootstrap import services
from worker.cli import screen
from worker.cli.exits import Exit
from worker.cli.opening import quiet
from worker.settings import load_settings
from worker.sync.doctor import Patient, examine
from worker.sync.features import current_settings

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from worker.bootstrap import Services
    from worker.domain.feature_settings import FeatureSettings
    from worker.sync.findings import Finding


def doctor(*, as_json: screen.AsJson = False) -> None:
    """Check settings, database, broker and both sides; name each cure."""
    settings = load_settings()
    quiet(settings)
    found = []
    # Not opened as by other commands: an old database is to be told of, not mended.
    with services(settings) as svc:
        for finding in findings(svc):
            found.append(finding)
            if not as_json:
                show(finding)
    if as_json:
        screen.print_json([finding._asdict() for finding in found])
    else:
        wrong = sum(not finding.ok for finding in found)
        print("All is well." if not wrong else f"{wrong} to cure.")
    raise typer.Exit(exit_of(found))


def findings(svc: Services) -> Iterator[Finding]:
    """Examine what these services are made of."""

    def features() -> FeatureSettings:
        # Tokens hang on the community's row; asked for once the tables are right.
        svc.prepare()
        return current_settings(svc.store, svc.community)

    patient = Patient(
        settings=svc.settings,
        database=svc.database,
        features=features,
        aurora=svc.aurora,
        salesforce=svc.salesforce,
    )
    return examine(patient, clock.now)


def show(finding: Finding) -> None:
    mark = "ok  " if finding.ok else "WRONG"
    print(f"{mark:<6}{finding.side:<10} {finding.check}: {finding.what}")
    if finding.cure:
        print(f"{'':<6}{'':<10} → {finding.cure}")


def exit_of(found: Sequence[Finding]) -> Exit:
    if any(finding.refused for finding in found):
        return Exit.REFUSED
    wrong = any(not finding.ok for finding in found)
    return Exit.SOME_FAILED if wrong else Exit.FINE
