"""`aurora-sync salesforce deploy`: puts our package into the org."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from worker import http
from worker.cli import screen
from worker.cli.exits import Commands, Exit
from worker.cli.opening import opened
from worker.salesforce.deploy import (
    SYNC_PERMISSION_SET,
    assign_permission_set,
    deploy,
)

if TYPE_CHECKING:
    from worker.bootstrap import Services
    from worker.salesforce.deploy import DeployReport

app = typer.Typer(cls=Commands, help="The Salesforce org.", rich_markup_mode=None)


@app.callback()
def group() -> None:
    """The Salesforce org."""


@app.command("deploy")
def deploy_package(
    *,
    check_only: Annotated[
        bool, typer.Option("--check-only", help="Validate only; change nothing.")
    ] = False,
    as_json: screen.AsJson = False,
) -> None:
    """Deploy the package and assign its permission set; safe to repeat."""
    with opened() as svc:
        report, assigned = put_in(svc, check_only=check_only)
    if as_json:
        failures = [failure._asdict() for failure in report.failures]
        answer = {**report._asdict(), "failures": failures, "assigned": assigned}
        screen.print_json(answer)
    else:
        show(report, assigned=assigned, check_only=check_only)
    raise typer.Exit(Exit.FINE if report.succeeded else Exit.REFUSED)


def put_in(svc: Services, *, check_only: bool = False) -> tuple[DeployReport, bool]:
    """Deploy, and give the API user the permission set; say whether it lacked it."""
    settings = svc.settings.salesforce
    client = svc.salesforce()
    with http.session(
        connect_timeout=settings.connect_timeout, read_timeout=settings.read_timeout
    ) as session:
        # Signed in first: the connection is a snapshot that nobody renews.
        who = client.identity()
        connection = client.connection()
        report = deploy(connection, check_only=check_only, session=session)
        assigned = False
        if report.succeeded and not check_only:
            assigned = assign_permission_set(
                connection, session, SYNC_PERMISSION_SET, who.user_id
            )
    return report, assigned


def show(report: DeployReport, *, assigned: bool, check_only: bool = False) -> None:
    what = "check" if check_only else "deploy"
    print(
        f"{what} {report.id} {report.state}: {report.created} created, "
        f"{report.changed} changed, {report.unchanged} unchanged"
    )
    if report.succeeded and not check_only:
        state = "assigned" if assigned else "was assigned already"
        print(f"permission set {SYNC_PERMISSION_SET} {state}")
    for failure in report.failures:
        line = f" line {failure.line}" if failure.line else ""
        print(f"  {failure.kind} {failure.component}{line}: {failure.problem}")
