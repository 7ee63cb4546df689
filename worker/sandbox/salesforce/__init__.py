"""A local Salesforce org that speaks the vendor's protocol; shares no code of ours."""

from worker.sandbox.salesforce.app import SalesforceSandbox
from worker.sandbox.salesforce.org import Org

__all__ = ["Org", "SalesforceSandbox"]
