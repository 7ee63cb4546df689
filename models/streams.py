"""Streams with their schedule, cursor and lease, and the runs they made."""

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, OneOf
from worker.domain.state import RunKind, RunState, RunTrigger


class Stream(Base):
    """One stream of one community."""

    __tablename__ = "streams"

    community: Mapped[str] = mapped_column(
        ForeignKey("communities.community"), primary_key=True
    )
    stream: Mapped[str] = mapped_column(primary_key=True)
    enabled: Mapped[bool]
    interval_s: Mapped[int]
    due_at: Mapped[datetime]
    cursor: Mapped[dict[str, object]]
    lease_holder: Mapped[str | None]
    lease_expires_at: Mapped[datetime | None]
    # Grows with every lease; a write that shows an older one is refused.
    fence: Mapped[int]
    # The current run, or the last one.
    run_id: Mapped[str | None]
    last_success_at: Mapped[datetime | None]
    last_full_at: Mapped[datetime | None]

    __table_args__ = (CheckConstraint("interval_s > 0", name="interval_s"),)


class Run(Base):
    """One execution of a stream."""

    __tablename__ = "runs"

    # Sorts by the instant of the request.
    id: Mapped[str] = mapped_column(primary_key=True)
    community: Mapped[str] = mapped_column(ForeignKey("communities.community"))
    stream: Mapped[str]
    kind: Mapped[RunKind] = mapped_column(OneOf(RunKind))
    trigger: Mapped[RunTrigger] = mapped_column(OneOf(RunTrigger))
    state: Mapped[RunState] = mapped_column(OneOf(RunState))
    full: Mapped[bool]
    options: Mapped[dict[str, object]]
    requested_at: Mapped[datetime]
    started_at: Mapped[datetime | None]
    # When it last showed life, or when a worker was last woken for it.
    heartbeat_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
    counts: Mapped[dict[str, int]]
    extra: Mapped[dict[str, object]]
    progress_done: Mapped[int]
    progress_total: Mapped[int]
    calls: Mapped[dict[str, int]]
    error_code: Mapped[str | None]
    error_text: Mapped[str | None]
    fence: Mapped[int]
    attempts: Mapped[int]

    __table_args__ = (
        Index("ix_runs_community_stream_id", "community", "stream", "id"),
        # One run per stream and community at a time, whatever the code believes.
        Index(
            "uq_runs_active",
            "community",
            "stream",
            unique=True,
            sqlite_where=text("state IN ('queued', 'running')"),
            postgresql_where=text("state IN ('queued', 'running')"),
        ),
    )
