"""What handlers work with: the org and the states that are kept beside its rows."""

import asyncio
from collections.abc import Coroutine

from worker.sandbox.salesforce.cursors import Cursors
from worker.sandbox.salesforce.identity import Identity
from worker.sandbox.salesforce.org import Org


class Services:
    """One org as a server sees it."""

    def __init__(self, *, seed: int, page_size: int | None) -> None:
        self._seed = seed
        self.page_size = page_size
        self._running: set[asyncio.Task[None]] = set()
        self.furnish()

    def furnish(self) -> None:
        """Start over with a new org; the old one is forgotten."""
        from worker.sandbox.salesforce.bulk.jobs import Jobs  # noqa: PLC0415 - jobs
        from worker.sandbox.salesforce.metadata.deploys import (  # noqa: PLC0415 - and
            Deploys,  # deploys work on these services
        )

        self.org = Org(seed=self._seed)
        self.identity = Identity(self.org)
        self.cursors = Cursors(self.org.clock)
        self.jobs: Jobs = Jobs(self.org)
        self.deploys: Deploys = Deploys(self.org)

    def start(self, work: Coroutine[None, None, None]) -> None:
        """Run work beside the calls, on the server's own loop."""
        task = asyncio.get_running_loop().create_task(work)
        self._running.add(task)
        task.add_done_callback(self._running.discard)
