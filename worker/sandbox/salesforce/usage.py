"""Counts API calls over a rolling day and by kind; knows the allowance, not HTTP."""

from collections import Counter

from worker.sandbox.salesforce.clock import OrgClock

_BUCKET_S = 600
_DAY_S = 86_400


class Usage:
    """The org's metered calls. `used` and `allowed` say what they mean."""

    def __init__(self, clock: OrgClock) -> None:
        self._clock = clock
        self.allowed = 100_000
        self.by_kind: Counter[str] = Counter()
        self.by_method: Counter[str] = Counter()
        # Unmetered doors, such as the token endpoint, are counted here alone.
        self.unmetered: Counter[str] = Counter()
        self._buckets: Counter[int] = Counter()

    def _bucket(self) -> int:
        return int(self._clock.now().timestamp()) // _BUCKET_S

    @property
    def used(self) -> int:
        oldest = self._bucket() - _DAY_S // _BUCKET_S
        for bucket in [b for b in self._buckets if b <= oldest]:
            del self._buckets[bucket]
        return self._buckets.total()

    @property
    def remaining(self) -> int:
        return max(0, self.allowed - self.used)

    def count(self, kind: str, method: str, calls: int = 1) -> None:
        self.by_kind[kind] += calls
        self.by_method[f"{method} {kind}"] += calls
        self._buckets[self._bucket()] += calls

    def forget(self) -> None:
        self.by_kind.clear()
        self.by_method.clear()
        self.unmetered.clear()
        self._buckets.clear()
