"""A token vault for one process: the double of the store's in the adapters' tests."""

from __future__ import annotations

import threading


class MemoryVault:
    """Keeps a token as the vault's protocol promises, for one process."""

    def __init__(self, token=None):
        self.token = token
        self.renewals = 0
        self._lock = threading.Lock()

    def load(self):
        return self.token

    def renew(self, seen, obtain):
        with self._lock:
            held = self.token
            if held is not None and held.generation != (seen or 0):
                return held
            generation = held.generation + 1 if held is not None else 1
            self.token = obtain(held)._replace(generation=generation)
            self.renewals += 1
            return self.token
