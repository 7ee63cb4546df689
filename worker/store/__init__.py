"""
The adapter for the database: every query lives here. Plain values go in and out
(`worker/domain/state.py`); no transaction outlives a call.
"""

from __future__ import annotations

from threading import Lock
from typing import TYPE_CHECKING

from worker.store.batches import Batches
from worker.store.communities import Communities
from worker.store.contacts import Contacts
from worker.store.events import Events
from worker.store.failures import Failures
from worker.store.members import Members
from worker.store.runs import Runs
from worker.store.streams import Streams
from worker.store.usage import ApiUsage
from worker.store.vault import StoredToken, rotate_credentials

if TYPE_CHECKING:
    from worker.database import Database
    from worker.domain.records import Side
    from worker.secrets import SecretBox


class Store:
    """
    Everything the worker remembers, by shelf. Safe to share between threads.

    `communities.ensure` comes first: the other shelves refuse a community that the
    database does not know.
    """

    def __init__(self, database: Database, box: SecretBox) -> None:
        self.database = database
        self._box = box
        self._renewals: dict[tuple[str, str], Lock] = {}
        self.communities = Communities(database)
        self.streams = Streams(database)
        self.runs = Runs(database)
        self.members = Members(database)
        self.contacts = Contacts(database)
        self.batches = Batches(database)
        self.failures = Failures(database)
        self.events = Events(database)
        self.usage = ApiUsage(database)

    def vault(self, community: str, remote: Side) -> StoredToken:
        """Return the place that keeps this remote's token (a `TokenVault`)."""
        turn = self._renewals.setdefault((community, remote.value), Lock())
        return StoredToken(self.database, self._box, (community, remote), turn)

    def rotate_secrets(self) -> int:
        """Put every stored token under the newest key; return how many there are."""
        return rotate_credentials(self.database, self._box)
