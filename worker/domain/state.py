"""What the database remembers, as plain values: its words and its rows."""

from __future__ import annotations

from datetime import datetime, timedelta  # noqa: TC003 -- read by NamedTuple users
from enum import StrEnum
from typing import NamedTuple


class ConnectionStatus(StrEnum):
    """
    Whether a community may be worked on.

    not_active: not authorised yet; active: its streams run; halted: something needs a
    person (refused token, missing right), nothing runs by itself until then.
    """

    NOT_ACTIVE = "not_active"
    ACTIVE = "active"
    HALTED = "halted"


class RunKind(StrEnum):
    """
    What a run does: sync writes what changed; reset removes what was written; dry_run
    decides everything and writes nothing.
    """

    SYNC = "sync"
    RESET = "reset"
    DRY_RUN = "dry_run"


class RunTrigger(StrEnum):
    """Who asked: the interval, a person by the endpoint, a reset, or the shell."""

    INTERVAL = "interval"
    MANUAL = "manual"
    RESET = "reset"
    CLI = "cli"


class RunState(StrEnum):
    """
    Where a run is.

    queued: waits for a worker; running: holds its stream's lease; succeeded, failed:
    over; stopped: ended by a person or a StopRun; interrupted: its worker died, a
    successor goes on from the cursor.
    """

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    STOPPED = "stopped"
    INTERRUPTED = "interrupted"


class ContactLink(StrEnum):
    """
    Why a member has its Contact, or none.

    none: nobody matches; linked: the only match by e-mail; created: by us;
    ambiguous: several match, a person chooses; assigned: a person chose; no_email:
    nothing to match by; refused: the crm would not take the Contact we made.
    """

    NONE = "none"
    LINKED = "linked"
    CREATED = "created"
    AMBIGUOUS = "ambiguous"
    ASSIGNED = "assigned"
    NO_EMAIL = "no_email"
    REFUSED = "refused"


class MemberState(StrEnum):
    """
    What is known of a member's record in the crm.

    pending: a write was begun and its outcome is not recorded; synced: as we wrote
    it; failed: refused, see its failure; deleted: marked deleted, as the community
    says.
    """

    PENDING = "pending"
    SYNCED = "synced"
    FAILED = "failed"
    DELETED = "deleted"


class BatchPurpose(StrEnum):
    """What a batch writes; its recovery after a crash depends on it."""

    MEMBERS = "members"
    CONTACTS_CREATED = "contacts_created"
    CONTACT_FIELDS = "contact_fields"
    SLOW_FIELDS = "slow_fields"
    RESET_MEMBERS = "reset_members"
    RESET_CONTACTS = "reset_contacts"


class BatchState(StrEnum):
    """
    open: its rows are chosen, the crm may or may not have them; uploaded: the crm
    works on it as `job_id`; done: outcomes are recorded; aborted: given up.
    """

    OPEN = "open"
    UPLOADED = "uploaded"
    DONE = "done"
    ABORTED = "aborted"


class FailureState(StrEnum):
    """open: parked; resolved: went through later; discarded: a person gave it up."""

    OPEN = "open"
    RESOLVED = "resolved"
    DISCARDED = "discarded"


class Community(NamedTuple):
    """One community and whether its streams may run."""

    community: str
    base_url: str
    tenant: str
    api_prefix: str
    connection_status: ConnectionStatus
    status_reason: str
    feature_settings: dict[str, object]


class Run(NamedTuple):
    """
    One execution of a stream.

    `calls` are by remote; `extra` is what only one kind of run tells (clipped fields,
    samples, estimates). `attempts` counts the lives of the same work: a successor of
    an interrupted run that made no progress has one more.
    """

    id: str
    community: str
    stream: str
    kind: RunKind
    trigger: RunTrigger
    state: RunState
    full: bool
    options: dict[str, object]
    requested_at: datetime
    started_at: datetime | None
    heartbeat_at: datetime | None
    finished_at: datetime | None
    counts: dict[str, int]
    extra: dict[str, object]
    progress_done: int
    progress_total: int
    calls: dict[str, int]
    error_code: str | None
    error_text: str | None
    fence: int
    attempts: int


class StreamStatus(NamedTuple):
    """
    A stream of a community: when it runs next, what it did last, who works on it.

    `run` is the current run, or the last one; `busy` says whether its lease lives.
    """

    community: str
    stream: str
    enabled: bool
    interval: timedelta
    due_at: datetime
    cursor: dict[str, object]
    lease_holder: str | None
    lease_expires_at: datetime | None
    busy: bool
    fence: int
    last_success_at: datetime | None
    last_full_at: datetime | None
    run: Run | None


class MemberLink(NamedTuple):
    """
    What is known of one member on the crm side.

    `fingerprint` is of the content the crm holds for certain; None while a write is
    under way. `sent_fingerprint` is of the content last sent, whatever came of it.
    """

    member_id: int
    community_user_id: str | None = None
    contact_id: str | None = None
    contact_link: ContactLink = ContactLink.NONE
    email_key: bytes | None = None
    fingerprint: bytes | None = None
    sent_fingerprint: bytes | None = None
    batch_id: int | None = None
    state: MemberState = MemberState.PENDING
    last_visit_at: datetime | None = None
    contact_values: str | None = None
    slow_due_at: datetime | None = None
    slow_fingerprint: bytes | None = None
    deleted: bool = False


class StagedMember(NamedTuple):
    """
    The intention to write one member, recorded before it is sent.

    `slow_due_at` None keeps what is stored. `deleted` makes it end as deleted, not
    as synced.
    """

    member_id: int
    sent_fingerprint: bytes
    batch_id: int | None
    contact_id: str | None = None
    contact_link: ContactLink = ContactLink.NONE
    email_key: bytes | None = None
    last_visit_at: datetime | None = None
    contact_values: str | None = None
    slow_due_at: datetime | None = None
    deleted: bool = False


class Winner(NamedTuple):
    """The member that a Contact shows: the most recently seen of those linked."""

    member_id: int
    contact_values: str | None


class ContactDue(NamedTuple):
    """A Contact whose fields may have to be written; `written` is what it shows."""

    contact_id: str
    written: bytes | None


class Batch(NamedTuple):
    """Rows that were sent to the crm together, or were about to be."""

    id: int
    community: str
    stream: str
    run_id: str
    purpose: BatchPurpose
    object: str
    rows: int
    job_id: str | None
    state: BatchState
    created_at: datetime
    finished_at: datetime | None


class ParkedRecord(NamedTuple):
    """
    A record to park. `next_try_at` None waits for a person; `candidates` are the
    Contacts an ambiguous match found. `detail` holds no personal data.
    """

    community: str
    stream: str
    record_key: str
    reason: str
    detail: str = ""
    fields: tuple[str, ...] = ()
    run_id: str | None = None
    next_try_at: datetime | None = None
    candidates: tuple[str, ...] | None = None


class Failure(NamedTuple):
    """A parked record as stored; `id` never changes while it is open."""

    id: int
    community: str
    stream: str
    record_key: str
    reason: str
    fields: tuple[str, ...]
    detail: str
    attempts: int
    first_failed_at: datetime
    last_failed_at: datetime
    next_try_at: datetime | None
    state: FailureState
    resolution: str | None
    candidates: tuple[str, ...] | None
    run_id: str | None


class Event(NamedTuple):
    """One line of a record's timeline; `what` is noun.past_verb, as in the logs."""

    community: str
    record_key: str
    at: datetime
    what: str
    run_id: str | None = None
    detail: dict[str, object] | None = None


class CallCount(NamedTuple):
    """Calls of one day to one remote on account of one stream."""

    remote: str
    stream: str
    calls: int
