"""Communities and the tokens that open both sides."""

from datetime import datetime

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, OneOf
from worker.domain.records import Side
from worker.domain.state import ConnectionStatus


class Community(Base):
    """A community that is kept in step with the org."""

    __tablename__ = "communities"

    community: Mapped[str] = mapped_column(primary_key=True)
    base_url: Mapped[str]
    tenant: Mapped[str]
    api_prefix: Mapped[str]
    connection_status: Mapped[ConnectionStatus] = mapped_column(OneOf(ConnectionStatus))
    status_reason: Mapped[str]
    feature_settings: Mapped[dict[str, object]]
    # Counts the passes over all Contacts; a row of an older one was not seen since.
    contact_generation: Mapped[int] = mapped_column(default=0)
    # The last sign of life of a worker that looks after this community.
    ticked_at: Mapped[datetime | None]
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]


class Credential(Base):
    """The token of one remote, encrypted, and the lease of whoever renews it."""

    __tablename__ = "credentials"

    community: Mapped[str] = mapped_column(
        ForeignKey("communities.community"), primary_key=True
    )
    remote: Mapped[Side] = mapped_column(OneOf(Side), primary_key=True)
    # Null before the first login: the row exists for its lease.
    access: Mapped[bytes | None]
    refresh: Mapped[bytes | None]
    # Kept until the newer one has worked.
    previous_refresh: Mapped[bytes | None]
    expires_at: Mapped[datetime | None]
    generation: Mapped[int]
    instance_url: Mapped[str | None]
    subject: Mapped[str | None]
    lease_holder: Mapped[str | None]
    lease_expires_at: Mapped[datetime | None]
    updated_at: Mapped[datetime]
