"""The org's own clock: runs on from any moment it is set to, or stands still."""

import time
from datetime import UTC, datetime, timedelta


def stamp_of(moment: datetime) -> str:
    """The form of an instant in rows; sorts as text in the order of time."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.000+0000")


def moment_of(stamp: str) -> datetime:
    return datetime.strptime(stamp, "%Y-%m-%dT%H:%M:%S.%f%z")


class OrgClock:
    """Independent of the client's clock; tests set it instead of sleeping."""

    def __init__(self) -> None:
        self._offset_s = 0.0
        self._frozen_at: datetime | None = None
        self._second = 0
        self._stamp = ""

    def now(self) -> datetime:
        if self._frozen_at is not None:
            return self._frozen_at
        return datetime.fromtimestamp(time.time() + self._offset_s, UTC)

    def stamp(self) -> str:
        """Now, as rows hold it; the text is shared by all rows of one second."""
        if self._frozen_at is not None:
            return stamp_of(self._frozen_at)
        second = int(time.time() + self._offset_s)
        if second != self._second:
            self._second = second
            self._stamp = stamp_of(datetime.fromtimestamp(second, UTC))
        return self._stamp

    def set(self, moment: datetime) -> None:
        """Jump to a moment; a running clock runs on from there."""
        if self._frozen_at is not None:
            self._frozen_at = moment
        else:
            self._offset_s = moment.timestamp() - time.time()

    def advance(self, by: timedelta) -> None:
        self.set(self.now() + by)

    def freeze(self, moment: datetime | None = None) -> None:
        self._frozen_at = moment or self.now()

    def resume(self) -> None:
        frozen, self._frozen_at = self._frozen_at, None
        if frozen is not None:
            self.set(frozen)
