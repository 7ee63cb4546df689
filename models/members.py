"""Members and Contacts as far as they are linked, and the batches that wrote them."""

from datetime import datetime

from sqlalchemy import BigInteger, ForeignKey, Index, LargeBinary, text
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, OneOf, RowId
from worker.domain.state import BatchPurpose, BatchState, ContactLink, MemberState


def _partial(name: str, *columns: str, where: str) -> Index:
    condition = text(where)
    return Index(name, *columns, sqlite_where=condition, postgresql_where=condition)


class Member(Base):
    """Member id, community user id and contact id of the same person."""

    __tablename__ = "members"

    community: Mapped[str] = mapped_column(primary_key=True)
    member_id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    community_user_id: Mapped[str | None]
    contact_id: Mapped[str | None]
    contact_link: Mapped[ContactLink] = mapped_column(OneOf(ContactLink))
    # A keyed digest of the address; addresses themselves are never stored.
    email_key: Mapped[bytes | None] = mapped_column(LargeBinary)
    # Of the content the crm holds for certain; null while a write is under way.
    fingerprint: Mapped[bytes | None] = mapped_column(LargeBinary)
    sent_fingerprint: Mapped[bytes | None] = mapped_column(LargeBinary)
    batch_id: Mapped[int | None] = mapped_column(BigInteger)
    state: Mapped[MemberState] = mapped_column(OneOf(MemberState))
    deleted: Mapped[bool]
    last_visit_at: Mapped[datetime | None]
    # JSON of what the Contact shows of this member; text, for it is only carried.
    contact_values: Mapped[str | None]
    slow_due_at: Mapped[datetime | None]
    slow_fingerprint: Mapped[bytes | None] = mapped_column(LargeBinary)
    updated_at: Mapped[datetime]

    # Partial, because every index costs each of the rows of a full pass; clustered on
    # SQLite, because a pass reads and writes in the order of the ids.
    __table_args__ = (
        _partial(
            "ix_members_community_contact_id",
            "community",
            "contact_id",
            where="contact_id IS NOT NULL",
        ),
        _partial(
            "ix_members_unlinked_email_key",
            "community",
            "email_key",
            where="email_key IS NOT NULL AND contact_id IS NULL",
        ),
        _partial(
            "ix_members_community_batch_id",
            "community",
            "batch_id",
            where="batch_id IS NOT NULL",
        ),
        _partial(
            "ix_members_community_slow_due_at",
            "community",
            "slow_due_at",
            where="slow_due_at IS NOT NULL",
        ),
        {"sqlite_with_rowid": False},
    )


class Contact(Base):
    """A Contact of the org, by its e-mail's key and what we wrote to it."""

    __tablename__ = "contacts"

    community: Mapped[str] = mapped_column(primary_key=True)
    contact_id: Mapped[str] = mapped_column(primary_key=True)
    email_key: Mapped[bytes | None] = mapped_column(LargeBinary)
    generation: Mapped[int]
    # Digest of our fields as last written to it.
    written: Mapped[bytes | None] = mapped_column(LargeBinary)
    due_at: Mapped[datetime | None]
    created_by_us: Mapped[bool]

    __table_args__ = (
        _partial(
            "ix_contacts_community_email_key",
            "community",
            "email_key",
            where="email_key IS NOT NULL",
        ),
        _partial(
            "ix_contacts_due",
            "community",
            "contact_id",
            where="due_at IS NOT NULL",
        ),
        {"sqlite_with_rowid": False},
    )


class Batch(Base):
    """Rows sent to the crm together."""

    __tablename__ = "batches"

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    community: Mapped[str] = mapped_column(ForeignKey("communities.community"))
    stream: Mapped[str]
    run_id: Mapped[str]
    purpose: Mapped[BatchPurpose] = mapped_column(OneOf(BatchPurpose))
    object: Mapped[str]
    rows: Mapped[int]
    job_id: Mapped[str | None]
    state: Mapped[BatchState] = mapped_column(OneOf(BatchState))
    created_at: Mapped[datetime]
    finished_at: Mapped[datetime | None]

    __table_args__ = (
        _partial(
            "ix_batches_unfinished",
            "community",
            "stream",
            where="state IN ('open', 'uploaded')",
        ),
        # A number is never given twice: members still name their batch by it.
        {"sqlite_autoincrement": True},
    )
