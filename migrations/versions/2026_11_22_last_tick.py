"""
When a worker last ticked for a community.

Why: an admin endpoint on one machine must see that the workers on others live.
Safe while the previous worker still runs: yes, it only adds a column that may be empty.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "communities",
        sa.Column("ticked_at", sa.DateTime(timezone=True), nullable=True),
    )


def downgrade() -> None:
    with op.batch_alter_table("communities") as table:
        table.drop_column("ticked_at")
