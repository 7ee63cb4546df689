"""`aurora-sync`: puts the commands together; each lives in a file of its own."""

from __future__ import annotations

import sys
from importlib.metadata import version as installed_version

import typer
from cryptography.fernet import Fernet

from worker.cli import (
    connect,
    database,
    demo,
    deploy,
    doctor,
    failures,
    reset,
    running,
    sandbox,
    settings_commands,
    sync,
    watch,
)
from worker.cli.exits import Commands

app = typer.Typer(
    name="aurora-sync",
    cls=Commands,
    help=(
        "Keep a Khoros Aurora community and a Salesforce org in step. "
        "Exit codes: 0 fine, 1 some records failed, 2 wrong use or settings, "
        "3 already running, 4 a remote refused."
    ),
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    # A bug shows its plain traceback; a WorkerError never gets that far.
    pretty_exceptions_enable=False,
)

app.command()(demo.demo)
app.command()(sandbox.sandbox)
app.command()(running.start)
app.command()(running.worker)
app.command()(running.beat)
app.command()(running.admin)
app.add_typer(database.app, name="db")
app.command()(connect.connect)
app.command()(doctor.doctor)
app.add_typer(deploy.app, name="salesforce")
app.command()(sync.sync)
app.command()(reset.reset)
app.command()(watch.status)
app.command()(watch.runs)
app.add_typer(failures.app, name="failures")
app.add_typer(settings_commands.app, name="settings")
app.command()(watch.explain)


@app.command("secret-key")
def secret_key() -> None:
    """Print a new key for SYNC_SECRET_KEY."""
    print(Fernet.generate_key().decode())


@app.command()
def version() -> None:
    """Print the version."""
    print(installed_version("aurora-sync"))


def main() -> None:
    """Run the command line; leaves the process with the command's exit code."""
    # Names of every script go through pipes whose locale may say otherwise.
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(encoding="utf-8", errors="replace")
    app(prog_name="aurora-sync")


if __name__ == "__main__":
    main()
