"""Progress: lines in a log, one moving line in a terminal."""

import io

from nstar.progress import Progress


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_lines_in_a_log_tell_done_rate_and_time_left():
    stream = io.StringIO()
    progress = Progress("cells", 4, "lstm", stream, interval_s=0)
    progress.started -= 60
    progress.update(2, "step 7")
    assert stream.getvalue() == "lstm: 2.0 of 4 cells, 2.0 per minute, about 60 s left; step 7\n"
    progress.finish()
    assert stream.getvalue().endswith("lstm: 4 cells in 60 s\n")


def test_log_is_not_flooded():
    stream = io.StringIO()
    progress = Progress("cells", 1000, stream=stream)
    for done in range(1000):
        progress.update(done)
    assert stream.getvalue() == ""


def test_terminal_has_one_moving_line():
    stream = Terminal()
    progress = Progress("cells", 2, stream=stream)
    progress.interval_s = 0
    progress.update(1)
    progress.update(2)
    progress.finish()
    assert stream.getvalue().count("\n") == 1 and stream.getvalue().count("\r") == 3
