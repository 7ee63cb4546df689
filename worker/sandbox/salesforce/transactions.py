"""All or nothing: a block whose writes are undone when it fails or is called off."""

from types import TracebackType
from typing import Self

from worker.sandbox.salesforce.state import OrgState


class Transaction:
    """Nests: an inner block that fails leaves the outer one's work alone."""

    def __init__(self, org: OrgState) -> None:
        self._org = org
        self._called_off = False

    def __enter__(self) -> Self:
        self._outer, self._org.journal = self._org.journal, []
        return self

    def call_off(self) -> None:
        self._called_off = True

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        steps, self._org.journal = self._org.journal or [], None
        if error is not None or self._called_off:
            for undo in reversed(steps):
                undo()
        elif self._outer is not None:
            self._outer.extend(steps)
        self._org.journal = self._outer
