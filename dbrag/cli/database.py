"""`dbrag db`: bring the database's schema up to the code, and compare the two."""

from pathlib import Path
from typing import Annotated

import typer

from dbrag.cli import output
from dbrag.cli.address import load_settings
from dbrag.database import pool

app = typer.Typer(no_args_is_help=True, help="Bring the schema up to the code (a release step), and check it.")


@app.command()
def upgrade() -> None:
    """Migrate the schema; run it once per release, before the new processes start."""
    from dbrag.database import migrate  # noqa: PLC0415 (SQLAlchemy takes longer to import than most commands run)

    output.answers().print(migrate.upgrade(load_settings(Path.cwd())), markup=False)


@app.command()
def check() -> None:
    """Compare the schema with what this code expects. Ends with 1 if they differ."""
    from dbrag.database import migrate  # noqa: PLC0415 (see above)

    with pool.connect(load_settings(Path.cwd())) as conn:
        schema = migrate.state(conn)
    if schema.is_current:
        output.answers().print(f"The schema is at {schema.head}, as this code expects.", markup=False)
        return
    output.failure(
        f"The schema is at {schema.current or 'nothing yet'}, this code expects {schema.head}: run `dbrag db upgrade`."
    )
    raise typer.Exit(1)


@app.command()
def wait(
    seconds: Annotated[float, typer.Option(min=0, help="How long to wait; after that it ends with 4.")] = 600,
) -> None:
    """Wait until the schema is what this code expects, or that of a newer release: before a process starts."""
    from dbrag.database import migrate  # noqa: PLC0415 (see above)

    output.answers().print(migrate.wait(load_settings(Path.cwd()), seconds), markup=False)
