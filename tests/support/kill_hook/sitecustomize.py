"""Kills at named moments: before or after a process moves a file to its place.

Python imports this module at its start where its folder is in ``PYTHONPATH``. ``KILL_AT`` holds the
moment (before, after), the file (a regular expression), the victim (a job, snakemake, everything) and a
token. The token is a file that the first process to arrive removes, so that only one kill hits. What was
moved to its place is listed in the file ``MOVED``.
"""

import os
import re
import signal


def kill(victim: str) -> None:
    """Kill this process, the leader of its group, which is Snakemake, or the whole group."""
    if victim == "everything":
        os.killpg(0, signal.SIGKILL)
    os.kill(os.getpid() if victim == "a job" else os.getpgid(0), signal.SIGKILL)


def with_kill(move, moment: str, pattern: str, victim: str, token: str):
    """Return `move` with a kill before or after it moves the first file that fits."""

    def take_token() -> bool:
        try:
            os.unlink(token)
        except FileNotFoundError:
            return False
        return True

    def move_and_kill(source, target, **others):
        hit = re.search(pattern, os.fspath(target)) and take_token()
        if hit and moment == "before":
            kill(victim)
        move(source, target, **others)
        with open(os.environ["MOVED"], "a") as moved:
            moved.write(f"{os.fspath(target)}\n")
        if hit and moment == "after":
            kill(victim)

    return move_and_kill


if "KILL_AT" in os.environ:
    arguments = os.environ["KILL_AT"].split("|")
    os.replace = with_kill(os.replace, *arguments)
    os.rename = with_kill(os.rename, *arguments)
