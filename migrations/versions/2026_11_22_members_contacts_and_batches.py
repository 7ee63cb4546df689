"""
Members, the Contacts they are linked to, and the batches that wrote them.

Why: what was written, and what was about to be, decides what is written next.
Safe while the previous worker still runs: yes, it only adds tables.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def where(condition: str) -> dict[str, sa.TextClause]:
    return {"sqlite_where": sa.text(condition), "postgresql_where": sa.text(condition)}


def upgrade() -> None:
    op.create_table(
        "members",
        sa.Column("community", sa.String(), nullable=False),
        sa.Column("member_id", sa.BigInteger(), nullable=False),
        sa.Column("community_user_id", sa.String(), nullable=True),
        sa.Column("contact_id", sa.String(), nullable=True),
        sa.Column("contact_link", sa.String(), nullable=False),
        sa.Column("email_key", sa.LargeBinary(), nullable=True),
        sa.Column("fingerprint", sa.LargeBinary(), nullable=True),
        sa.Column("sent_fingerprint", sa.LargeBinary(), nullable=True),
        sa.Column("batch_id", sa.BigInteger(), nullable=True),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("deleted", sa.Boolean(), nullable=False),
        sa.Column("last_visit_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("contact_values", sa.String(), nullable=True),
        sa.Column("slow_due_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("slow_fingerprint", sa.LargeBinary(), nullable=True),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("community", "member_id", name="pk_members"),
        sqlite_with_rowid=False,
    )
    op.create_index(
        "ix_members_community_batch_id",
        "members",
        ["community", "batch_id"],
        **where("batch_id IS NOT NULL"),
    )
    op.create_index(
        "ix_members_community_contact_id",
        "members",
        ["community", "contact_id"],
        **where("contact_id IS NOT NULL"),
    )
    op.create_index(
        "ix_members_community_slow_due_at",
        "members",
        ["community", "slow_due_at"],
        **where("slow_due_at IS NOT NULL"),
    )
    op.create_index(
        "ix_members_unlinked_email_key",
        "members",
        ["community", "email_key"],
        **where("email_key IS NOT NULL AND contact_id IS NULL"),
    )
    op.create_table(
        "contacts",
        sa.Column("community", sa.String(), nullable=False),
        sa.Column("contact_id", sa.String(), nullable=False),
        sa.Column("email_key", sa.LargeBinary(), nullable=True),
        sa.Column("generation", sa.Integer(), nullable=False),
        sa.Column("written", sa.LargeBinary(), nullable=True),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_by_us", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("community", "contact_id", name="pk_contacts"),
        sqlite_with_rowid=False,
    )
    op.create_index(
        "ix_contacts_community_email_key",
        "contacts",
        ["community", "email_key"],
        **where("email_key IS NOT NULL"),
    )
    op.create_index(
        "ix_contacts_due",
        "contacts",
        ["community", "contact_id"],
        **where("due_at IS NOT NULL"),
    )
    op.create_table(
        "batches",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column("community", sa.String(), nullable=False),
        sa.Column("stream", sa.String(), nullable=False),
        sa.Column("run_id", sa.String(), nullable=False),
        sa.Column("purpose", sa.String(), nullable=False),
        sa.Column("object", sa.String(), nullable=False),
        sa.Column("rows", sa.Integer(), nullable=False),
        sa.Column("job_id", sa.String(), nullable=True),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["community"],
            ["communities.community"],
            name="fk_batches_community_communities",
        ),
        sa.PrimaryKeyConstraint("id", name="pk_batches"),
        sqlite_autoincrement=True,
    )
    op.create_index(
        "ix_batches_unfinished",
        "batches",
        ["community", "stream"],
        **where("state IN ('open', 'uploaded')"),
    )


def downgrade() -> None:
    op.drop_table("batches")
    op.drop_table("contacts")
    op.drop_table("members")
