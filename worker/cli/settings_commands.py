"""`aurora-sync settings`: the feature settings of the community."""

from __future__ import annotations

from typing import Annotated

import typer

from worker.cli import screen
from worker.cli.exits import Commands, Exit, fail
from worker.cli.opening import opened
from worker.sync.features import change_settings, current_settings

app = typer.Typer(
    cls=Commands,
    help="Show or change the feature settings; a change counts at once.",
    rich_markup_mode=None,
)


@app.callback(invoke_without_command=True)
def show(context: typer.Context, *, as_json: screen.AsJson = False) -> None:
    """Show or change the feature settings; a change counts at once."""
    if context.invoked_subcommand is not None:
        return
    with opened() as svc:
        settings = current_settings(svc.store, svc.community).as_dict()
    if as_json:
        screen.print_json(settings)
    else:
        screen.table("", ("SETTING", "VALUE"), settings.items())


@app.command("get")
def get_one(
    key: Annotated[str, typer.Argument(help="The setting's name.")],
    *,
    as_json: screen.AsJson = False,
) -> None:
    """Print the value of one setting."""
    with opened() as svc:
        settings = current_settings(svc.store, svc.community).as_dict()
    if key not in settings:
        fail(f"{key}: unknown; known are {', '.join(settings)}", Exit.WRONG_USE)
    value = settings[key]
    if as_json:
        screen.print_json({key: value})
    else:
        print(_word(value))


@app.command("set")
def set_one(
    key: Annotated[str, typer.Argument(help="The setting's name.")],
    value: Annotated[str, typer.Argument(help="on, off, or a number.")],
    *,
    as_json: screen.AsJson = False,
) -> None:
    """Change one setting."""
    with opened() as svc:
        try:
            changed = change_settings(svc.store, svc.community, {key: value})
        except ValueError as problem:
            fail(str(problem), Exit.WRONG_USE)
    if as_json:
        screen.print_json(changed.as_dict())
    else:
        print(f"{key} = {_word(changed.as_dict()[key])}")


def _word(value: bool | int) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    return str(value)
