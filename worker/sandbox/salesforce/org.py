"""
One org and its short methods (insert, update, merge, …): the way tests and scenery
change it, outside permissions and metering.
"""

from collections.abc import Iterable

from worker.sandbox.salesforce import merging
from worker.sandbox.salesforce.bare import furnish
from worker.sandbox.salesforce.state import OrgState
from worker.sandbox.salesforce.writes import Writer


class Org(OrgState):
    """Everything the org holds; deterministic by seed but for the running clock."""

    def __init__(self, *, seed: int = 1) -> None:
        super().__init__(seed=seed)
        furnish(self)

    def insert(self, type_name: str, **fields: object) -> str:
        with self.lock:
            return Writer(self).insert_body(self.type(type_name), fields)

    def insert_many(self, type_name: str, rows: Iterable[dict[str, object]]) -> int:
        """Insert rows without metering; returns how many."""
        with self.lock:
            writer, of = Writer(self), self.type(type_name)
            return sum(1 for row in rows if writer.insert_body(of, row))

    def update(self, type_name: str, record_id: str, **fields: object) -> None:
        with self.lock:
            of = self.type(type_name)
            Writer(self).update_body(of, self.live_row(of, record_id), fields)

    def delete(self, type_name: str, record_id: str) -> None:
        with self.lock:
            of = self.type(type_name)
            Writer(self).delete(of, self.live_row(of, record_id))

    def undelete(self, type_name: str, record_id: str) -> None:
        with self.lock:
            Writer(self).undelete(self.type(type_name), record_id)

    def merge(self, type_name: str, master_id: str, loser_id: str) -> None:
        with self.lock:
            merging.merge(self, self.type(type_name), master_id, loser_id)

    def convert_lead(self, lead_id: str) -> tuple[str, str]:
        """Turn a lead into an account and a contact; returns both ids."""
        with self.lock:
            return merging.convert_lead(self, lead_id)

    def assign(self, permission_set: str, user_id: str | None = None) -> None:
        """Give a permission set to a user, by default the integration user."""
        (held,) = self.find("PermissionSet", Name=permission_set)
        assignee = user_id or self.find("User", Alias="integr")[0]["Id"]
        self.insert(
            "PermissionSetAssignment", PermissionSetId=held["Id"], AssigneeId=assignee
        )
