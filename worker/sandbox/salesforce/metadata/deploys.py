"""The org's deploys by id."""

from worker.sandbox.salesforce.org import Org


class Deploys:
    def __init__(self, org: Org) -> None:
        self.org = org
