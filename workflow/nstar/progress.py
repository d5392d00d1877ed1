"""Progress of long work: a line that moves in a terminal, plain lines in a log."""

import sys
import time
from typing import TextIO


class Progress:
    """Reports units of work done, rate and time left.

    Parameters
    ----------
    unit : str
        What is counted, in the plural.
    total : int
        How many there are.
    label : str
        What every line starts with.
    stream : text stream
        Where to write; a terminal gets one moving line.
    interval_s : float
        Least time between two lines in a log; seconds.
    """

    def __init__(
        self,
        unit: str,
        total: int,
        label: str = "",
        stream: TextIO | None = None,
        interval_s: float = 15.0,
    ):
        self.unit = unit
        self.total = total
        self.label = f"{label}: " if label else ""
        self.stream = sys.stderr if stream is None else stream
        self.terminal = self.stream.isatty()
        self.interval_s = 0.2 if self.terminal else interval_s
        self.started = self.last_shown = time.monotonic()
        self.done = self.skipped = 0.0

    def skip(self, amount: float) -> None:
        """Tell that so many units were done before: they count as done, and not for the rate."""
        self.skipped += amount

    def update(self, done: float, detail: str = "") -> None:
        """Report that `done` units are done; a fraction counts work inside a unit."""
        self.done = done
        now = time.monotonic()
        if now - self.last_shown >= self.interval_s:
            self.last_shown = now
            rate = (done - self.skipped) / (now - self.started)
            left = f"{(self.total - done) / rate:.0f}" if rate > 0 else "?"
            text = f"{done:.1f} of {self.total} {self.unit}, {60 * rate:.1f} per minute, "
            self._write(f"{text}about {left} s left{'; ' if detail else ''}{detail}")

    def finish(self) -> None:
        """Report the total."""
        elapsed = time.monotonic() - self.started
        self._write(f"{self.total} {self.unit} in {elapsed:.0f} s")
        if self.terminal:
            self.stream.write("\n")

    def _write(self, text: str) -> None:
        line = f"{self.label}{text}"
        self.stream.write(f"\r\033[K{line}" if self.terminal else f"{line}\n")
        self.stream.flush()
