"""Merging two records and converting a lead: what the org does in one go."""

from worker.sandbox.salesforce.schema import ObjectType
from worker.sandbox.salesforce.state import OrgState
from worker.sandbox.salesforce.table import ID
from worker.sandbox.salesforce.writes import Writer


def merge(org: OrgState, of: ObjectType, master_id: str, loser_id: str) -> None:
    """Move the loser's children to the master; the loser names its master."""
    master, loser = org.live_row(of, master_id), org.live_row(of, loser_id)
    writer, form = Writer(org), org.form(of)
    for child in form.children:
        for held in child.table.find(child.slot, loser[ID]):
            writer.update(child.table.of, held, {child.slot: master[ID]})
    writer.update(of, loser, {form.slot("MasterRecordId"): master[ID]})
    writer.delete(of, loser)
    writer.update(of, master, {})


def convert_lead(org: OrgState, lead_id: str) -> tuple[str, str]:
    """Make an account and a contact of a lead and mark it converted."""
    of = org.type("Lead")
    row = org.live_row(of, lead_id)
    lead = org.tables["Lead"].values_of(row)
    writer = Writer(org)
    account = writer.insert_body(
        org.type("Account"), {"Name": lead["Company"], "OwnerId": lead["OwnerId"]}
    )
    kept = ("FirstName", "LastName", "Salutation", "Email", "Phone")
    person = {name: lead[name] for name in kept} | {"AccountId": account}
    contact = writer.insert_body(org.type("Contact"), person)
    outcome = {
        "IsConverted": True,
        "Status": "Closed - Converted",
        "ConvertedDate": org.clock.now().date().isoformat(),
        "ConvertedAccountId": account,
        "ConvertedContactId": contact,
    }
    writer.update_body(of, row, outcome)
    return account, contact
