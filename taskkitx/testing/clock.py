"""A clock that stands still until it is told otherwise."""


class FakeClock:
    """Callable like any clock of taskkitx; give the same one to everything that is to share a time."""

    def __init__(self, now: float = 1_800_000_000.0) -> None:
        """Stands at `now`, in UNIX seconds."""
        self._now = now

    def __call__(self) -> float:
        """What time it is."""
        return self._now

    def advance(self, seconds: float) -> None:
        """Let that much time pass; a negative number is a clock set back."""
        self._now += seconds
