"""Parked records, the timeline of each record, and the ledger of remote calls."""

from datetime import date, datetime

from sqlalchemy import ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, OneOf, RowId
from worker.domain.records import Side
from worker.domain.state import FailureState

_OPEN = text("state = 'open'")


class Failure(Base):
    """A parked record: why, how often, when next, and how it ended."""

    __tablename__ = "failures"

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    community: Mapped[str] = mapped_column(ForeignKey("communities.community"))
    stream: Mapped[str]
    record_key: Mapped[str]
    reason: Mapped[str]
    fields: Mapped[list[str]]
    detail: Mapped[str]
    attempts: Mapped[int]
    first_failed_at: Mapped[datetime]
    last_failed_at: Mapped[datetime]
    # Null waits for a person.
    next_try_at: Mapped[datetime | None]
    state: Mapped[FailureState] = mapped_column(OneOf(FailureState))
    resolution: Mapped[str | None]
    # The Contacts an ambiguous match found.
    candidates: Mapped[list[str] | None]
    run_id: Mapped[str | None]

    __table_args__ = (
        Index(
            "uq_failures_open",
            "community",
            "stream",
            "record_key",
            unique=True,
            sqlite_where=_OPEN,
            postgresql_where=_OPEN,
        ),
        Index(
            "ix_failures_due",
            "community",
            "stream",
            "next_try_at",
            sqlite_where=_OPEN,
            postgresql_where=_OPEN,
        ),
        {"sqlite_autoincrement": True},
    )


class Event(Base):
    """One line of a record's timeline."""

    __tablename__ = "events"

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    community: Mapped[str]
    record_key: Mapped[str]
    at: Mapped[datetime]
    run_id: Mapped[str | None]
    what: Mapped[str]
    detail: Mapped[dict[str, object] | None]

    __table_args__ = (
        Index("ix_events_community_record_key_at", "community", "record_key", "at"),
        Index("ix_events_at", "at"),
    )


class ApiUsage(Base):
    """Calls of one day to one remote on account of one stream."""

    __tablename__ = "api_usage"

    community: Mapped[str] = mapped_column(primary_key=True)
    day: Mapped[date] = mapped_column(primary_key=True)
    remote: Mapped[Side] = mapped_column(OneOf(Side), primary_key=True)
    stream: Mapped[str] = mapped_column(primary_key=True)
    calls: Mapped[int]
