"""What one run carries through its moves: adapters, settings, counts, the stop flag."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from worker import clock
from worker.domain.budget import calls_left
from worker.domain.report import Counts, Outcome, Progress
from worker.domain.state import RunKind
from worker.errors import QuotaExhausted

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime
    from pathlib import Path

    from worker.aurora.client import AuroraClient
    from worker.domain.feature_settings import FeatureSettings
    from worker.domain.records import Stream
    from worker.domain.state import Run
    from worker.salesforce.client import SalesforceClient
    from worker.settings import Settings
    from worker.store import Store
    from worker.sync.lease import LeaseKeeper


TELL_EVERY_S = 0.5


class HandOver(Exception):
    """The slice is over or the worker is stopping; what is durable stays."""


@dataclass(kw_only=True)
class RunContext:
    """
    One run's surroundings, and the counts that each branch of its stream ends in.

    `spool` is a folder of this run alone. `should_stop` and `on_progress` are called
    between pages and batches.
    """

    settings: Settings
    store: Store
    aurora: AuroraClient
    salesforce: SalesforceClient
    features: FeatureSettings
    email_key: Callable[[str], bytes]
    run: Run
    stream: Stream
    keeper: LeaseKeeper
    spool: Path
    should_stop: Callable[[], bool]
    on_progress: Callable[[Progress], None]
    # What only some runs tell, beside the counts.
    extra: dict[str, object] = field(default_factory=dict)
    # Values that the org's fields could not hold, by field.
    fitted: Counter[str] = field(default_factory=Counter)
    # A dry run's first decisions.
    samples: list[dict[str, object]] = field(default_factory=list)
    # Contacts whose fields a dry run found to be written.
    would_touch: set[str] = field(default_factory=set)
    # When earlier runs wrote Contacts, by the org's clock: those changes are our own.
    # Only then, for other tools may write as the same user.
    own_writes: list[tuple[datetime, datetime]] = field(default_factory=list)
    wrote_contacts: bool = False
    # Attempts so far of the failures that this run tries again, by record key.
    attempts: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        # A run that was handed over goes on counting where it stood.
        self.counts = Counts(self.run.counts)
        self.reached = (self.run.progress_done, self.run.progress_total)
        self._told_at = float("-inf")

    @property
    def community(self) -> str:
        return self.run.community

    @property
    def fence(self) -> int:
        """The lease's token, shown by every durable step of the run."""
        return self.run.fence

    @cached_property
    def crm_user(self) -> str:
        """The org's id of the user we write as; our own changes carry it."""
        return self.salesforce.identity().user_id

    @property
    def forced(self) -> bool:
        """Whether a person has confirmed what the breaker stopped."""
        return bool(self.run.options.get("force"))

    @property
    def dry(self) -> bool:
        return self.run.kind is RunKind.DRY_RUN

    @property
    def dry_reset(self) -> bool:
        """Whether this run is a reset that counts only."""
        return bool(self.run.options.get("dry_run"))

    def checkpoint(self) -> None:
        """
        Say whether the run may go on: between pages and batches, never within one.

        Raises LeaseLost, HandOver, or QuotaExhausted when the stream's share of the
        org's daily calls is used up.
        """
        self.keeper.check()
        if self.should_stop():
            raise HandOver
        left = calls_left(
            self.salesforce.usage, self.stream, self.features.api_budget_percent
        )
        if left == 0:
            raise QuotaExhausted(
                "salesforce",
                self.stream,
                code="api_budget",
                detail="the stream's share of today's API calls is used up; it goes on "
                "when the org's 24 hours roll on, or raise api_budget_percent",
            )

    def count(self, outcome: Outcome, records: int = 1) -> None:
        self.counts.add(outcome, records)

    def progress(self, phase: str, done: int, total: int) -> None:
        self.reached = (done, total)
        at = Progress(done, max(total, done), self.counts.as_dict(), phase)
        # For people's eyes: twice a second is enough, and a transaction a page is not
        # free.
        if clock.monotonic() - self._told_at >= TELL_EVERY_S:
            self._told_at = clock.monotonic()
            self.store.runs.progress(
                self.run.id, at.done, at.total, at.counts, fence=self.fence
            )
        self.on_progress(at)

    def extra_dict(self) -> dict[str, object]:
        """Return what the run's row keeps beside its counts."""
        usage = self.salesforce.usage
        told: dict[str, object] = {
            "samples": self.samples,
            "fitted": dict(self.fitted),
            "org_calls": usage._asdict() if usage else None,
        }
        return self.extra | {name: value for name, value in told.items() if value}
