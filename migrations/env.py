"""
Runs migrations on the connection it is handed, or on the database of `alembic.ini`.

Each run is one transaction on both databases: a failed step leaves nothing behind.
"""

from __future__ import annotations

from alembic import context
from sqlalchemy import Connection, create_engine, text
from sqlalchemy.pool import NullPool
from sqlalchemy.types import TypeDecorator

from models import Base

# Rather fail than make the running worker wait behind us.
LOCK_TIMEOUT = "5s"


def main() -> None:
    given = context.config.attributes.get("connection")
    if given is not None:
        migrate(given)
        return
    url = context.get_x_argument(as_dictionary=True).get("url")
    address = url or context.config.get_main_option("sqlalchemy.url", "")
    engine = create_engine(address, poolclass=NullPool)
    with engine.begin() as connection:
        migrate(connection)
    engine.dispose()


def migrate(connection: Connection) -> None:
    if connection.dialect.name == "postgresql":
        connection.execute(text(f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT}'"))
    context.configure(
        connection=connection,
        target_metadata=Base.metadata,
        # SQLite changes a table only by rebuilding it.
        render_as_batch=connection.dialect.name == "sqlite",
        compare_server_default=True,
        render_item=plain_type,
    )
    with context.begin_transaction():
        context.run_migrations()


def plain_type(kind: str, item: object, _: object) -> str | bool:
    """Draft with SQLAlchemy's own types: history must not import our models."""
    if kind == "type" and isinstance(item, TypeDecorator):
        return f"sa.{item.impl_instance!r}"
    return False


main()
