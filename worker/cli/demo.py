"""`aurora-sync demo`: the whole main job against both sandboxes, and a comparison."""

from __future__ import annotations

import tempfile
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from worker import clock, http
from worker.cli import deploy, doctor, here, screen, stage
from worker.cli.compare import RECORDS, TIMEOUT, compare, read_sides
from worker.cli.exits import Exit
from worker.cli.opening import opened
from worker.domain.records import Stream
from worker.domain.state import RunState
from worker.sync import connect, features, report

if TYPE_CHECKING:
    from collections.abc import Iterator

    from worker.bootstrap import Services
    from worker.cli.compare import Sides, Verdict
    from worker.cli.stage import Stage
    from worker.domain.report import RunReport

EXAMPLES_OF_EACH = 2
SHOWN_DIFFERENCES = 20


def demo(
    *,
    members: Annotated[int, typer.Option(min=1, help="How many to invent.")] = 500,
    seed: Annotated[int, typer.Option(help="The same seed, the same people.")] = 1,
    once: Annotated[
        bool, typer.Option("--once", help="End after the summary.")
    ] = False,
    home: Annotated[
        Path | None, typer.Option(help="Where state lives; a fresh folder otherwise.")
    ] = None,
) -> None:
    """Sync an invented community into an invented org, and compare both sides."""
    with ExitStack() as stack:
        where = home or Path(
            stack.enter_context(tempfile.TemporaryDirectory(prefix="aurora-sync-"))
        )
        where.mkdir(parents=True, exist_ok=True)
        code = _play(where.resolve(), members, seed, once=once)
    raise typer.Exit(code)


def _play(home: Path, members: int, seed: int, *, once: bool) -> Exit:
    with ExitStack() as stack:
        with _step(f"sandboxes: {members:,} members, seed {seed}"):
            scene = stack.enter_context(
                stage.sandboxes(home, members=members, seed=seed)
            )
        with opened(stage.settings_from(scene.env)) as svc:
            code = _main_job(svc, scene, members)
        if not once:
            _stay(scene)
        return code


def _main_job(svc: Services, scene: Stage, members: int) -> Exit:
    with _step("package: objects, fields and permission set into the bare org"):
        deployed, _ = deploy.put_in(svc)
    if not deployed.succeeded:
        deploy.show(deployed, assigned=False)
        return Exit.REFUSED
    with _step("connect: sign in to the community"):
        connect.activate(svc.store, svc.community, svc.aurora())
    with _step("doctor"):
        found = list(doctor.findings(svc))
    for finding in found:
        if not finding.ok:
            doctor.show(finding)
    _show_settings(svc)
    rounds = []
    for title, run in _rounds(svc, scene, members):
        rounds.append((title, run))
        code = here.exit_of(run)
        if code > Exit.SOME_FAILED:
            _show_rounds(rounds)
            return code
    _show_rounds(rounds)
    sides = read_sides(scene.aurora_url, scene.salesforce_url)
    verdict = compare(sides, svc.community, parked=_parked(svc))
    _show_examples(sides, svc.community)
    _show_verdict(svc, verdict)
    # Parked records are a part of the story; a difference is not.
    return Exit.FINE if verdict.agree else Exit.SOME_FAILED


def _rounds(
    svc: Services, scene: Stage, members: int
) -> Iterator[tuple[str, RunReport]]:
    yield "everything", _sync(svc, "first sync", full=True)
    yield "nothing new", _sync(svc, "second sync", full=True)
    changed = _change(scene, max(1, members // 20))
    yield f"{changed:,} changed", _sync(svc, "delta", full=False)


@contextmanager
def _step(title: str) -> Iterator[None]:
    began = clock.monotonic()
    print(f"{title} … ", end="", flush=True)
    try:
        yield
    except BaseException:
        print("failed")
        raise
    print(f"{clock.monotonic() - began:.1f} s")


def _sync(svc: Services, title: str, *, full: bool) -> RunReport:
    run = here.request(svc, Stream.MEMBERS, full=True if full else None)
    return here.perform(svc, run, title=title)


def _change(scene: Stage, count: int) -> int:
    url = f"{scene.aurora_url}/_sandbox/members/change"
    with http.session(connect_timeout=TIMEOUT, read_timeout=TIMEOUT) as session:
        answer = session.post(url, json={"count": count})
        answer.raise_for_status()
        return len(answer.json()["ids"])


def _parked(svc: Services) -> set[str]:
    keys: set[str] = set()
    after: int | None = 0
    while after is not None:
        wanted = report.Wanted(limit=1000, after=after)
        page = report.failures(svc.store, svc.community, wanted)
        keys.update(failure.record for failure in page.failures)
        after = page.after
    return keys


def _show_settings(svc: Services) -> None:
    current = features.current_settings(svc.store, svc.community).as_dict()
    switches = {name: on for name, on in current.items() if isinstance(on, bool)}
    on = ", ".join(name for name, is_on in switches.items() if is_on)
    off = ", ".join(name for name, is_on in switches.items() if not is_on)
    print(f"settings on: {on}; off: {off or 'none'}\n")


def _show_rounds(rounds: list[tuple[str, RunReport]]) -> None:
    outcomes = ("applied", "unchanged", "deferred", "failed")
    rows = (
        (
            title,
            *(run.counts.get(outcome, 0) for outcome in outcomes),
            run.calls.get("salesforce", 0),
            run.calls.get("aurora", 0),
            f"{run.seconds:.2f}",
        )
        for title, run in rounds
    )
    titles = (outcome.upper() for outcome in outcomes)
    screen.table("", ("RUN", *titles, "SF CALLS", "AU CALLS", "SECONDS"), rows)
    for title, run in rounds:
        if run.state != RunState.SUCCEEDED:
            print(f"{title}: {run.state}, {run.error}")
    print()


def _show_examples(sides: Sides, community: str) -> None:
    """Show some members of each kind of link with what they became."""
    contacts = {row["Id"]: row for row in sides.contacts}
    members = {f"{community}:{row['id']}": row for row in sides.members}
    shown: dict[str, int] = {}
    rows = []
    for record in sides.records:
        link = str(record.get("Contact_Link__c"))
        member = members.get(record.get("Community_User_Key__c") or "")
        if member is None or shown.get(link, 0) >= EXAMPLES_OF_EACH:
            continue
        shown[link] = shown.get(link, 0) + 1
        contact = contacts.get(record.get("Contact__c") or "", {})
        names = (contact.get("FirstName"), contact.get("LastName"))
        name = " ".join(part for part in names if part) or None
        rows.append((member["login"], member["rank"], member["posts"], link, name))
    columns = ("MEMBER", "RANK", "POSTS", "LINK", "CONTACT")
    screen.table(f"Some of the {RECORDS} records", columns, rows)
    print()


def _show_verdict(svc: Services, verdict: Verdict) -> None:
    links = ", ".join(f"{count:,} {link}" for link, count in verdict.links.items())
    rows = [
        ("members in the community", verdict.members),
        ("records in the org", verdict.records),
        ("links to Contacts", links),
        ("values cut or left out to fit", verdict.fitted),
        ("failures parked", _reasons(svc)),
        ("members without a record for it", verdict.unwritten),
        ("members whose roles and rating wait", verdict.waiting),
        ("differences", len(verdict.differences)),
    ]
    screen.table("Both sides compared, field by field", ("", ""), rows)
    for difference in verdict.differences[:SHOWN_DIFFERENCES]:
        print(f"  {difference.record}: {difference.what}")
    print()


def _reasons(svc: Services) -> str:
    parked = svc.store.failures.count(svc.community)
    return ", ".join(f"{count:,} {reason}" for reason, count in parked.items()) or "0"


def _stay(scene: Stage) -> None:
    """Keep everything running until Ctrl-C, and say how to try things."""
    exports = stage.write_exports(scene)
    env = {**stage.clean(scene.home), **scene.env}
    with stage.running(["start", "--leashed"], env) as supervisor:
        print(_how_to(scene, exports), flush=True)
        with suppress(KeyboardInterrupt):
            supervisor.wait()
        print("stopping …", flush=True)


def _how_to(scene: Stage, exports: Path) -> str:
    admin = f"http://127.0.0.1:{scene.env['SYNC_ADMIN__PORT']}"
    return f"""
The sandboxes, the worker and the admin endpoint stay up until Ctrl-C.

  community     {scene.aurora_url}/_sandbox
  org           {scene.salesforce_url}/_sandbox
  admin         {admin}/openapi.json (token in SYNC_ADMIN__TOKEN)

In another shell:

  . {exports}
  curl -X POST {scene.aurora_url}/_sandbox/members/change -d '{{"count": 20}}'
  curl -X POST -H "Authorization: Bearer $SYNC_ADMIN__TOKEN" \\
      {admin}/api/streams/members/runs
  aurora-sync status
  aurora-sync failures
"""
