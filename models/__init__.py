"""SQLAlchemy models, one file per table or tight group: columns and constraints."""

from models.base import Base
from models.connections import Community, Credential
from models.failures import ApiUsage, Event, Failure
from models.members import Batch, Contact, Member
from models.streams import Run, Stream

__all__ = [
    "ApiUsage",
    "Base",
    "Batch",
    "Community",
    "Contact",
    "Credential",
    "Event",
    "Failure",
    "Member",
    "Run",
    "Stream",
]
