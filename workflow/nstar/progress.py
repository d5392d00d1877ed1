"""Progress of long work: a line that moves in a terminal, plain lines in a log."""

import sys
import time
from typing import TextIO


class Progress:
    """Counts units of work and reports done, rate and time left.

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
        self.done = 0.0
        self.started = self.last_shown = time.monotonic()

    def advance(self, units: float = 1, detail: str = "") -> None:
        """Count units as done; fractions count work inside a unit."""
        self.done += units
        now = time.monotonic()
        if now - self.last_shown >= self.interval_s:
            self.last_shown = now
            self._show(now, detail)

    def finish(self) -> None:
        """Report the total."""
        elapsed = time.monotonic() - self.started
        self._write(f"{self.total} {self.unit} in {elapsed:.0f} s")
        if self.terminal:
            self.stream.write("\n")

    def _show(self, now: float, detail: str) -> None:
        rate = self.done / (now - self.started)
        left = (self.total - self.done) / rate if rate > 0 else float("inf")
        text = f"{self.done:.1f} of {self.total} {self.unit}, {60 * rate:.1f} per minute, "
        self._write(f"{text}about {left:.0f} s left{'; ' if detail else ''}{detail}")

    def _write(self, text: str) -> None:
        line = f"{self.label}{text}"
        self.stream.write(f"\r\033[K{line}" if self.terminal else f"{line}\n")
        self.stream.flush()
