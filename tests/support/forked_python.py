"""Jobs of a workflow as forks of a process that has loaded torch and all else, which takes 2 s each time.

`interpreter` starts such a process, a server, and returns the path of a program that runs
``script.py arguments`` as Python does, but in a fork of the server: with the folder, environment,
streams, arguments and group of the program, and of the server only what importing leaves behind.
Signals go on to the fork, which ends with its program; one for the group reaches both. Anything but a
script, such as ``-m module``, runs in a Python of its own.
"""

import atexit
import functools
import gc
import importlib
import json
import os
import runpy
import select
import signal
import socket
import stat
import struct
import subprocess
import sys
import tempfile
from pathlib import Path

LOADED = (
    *("nstar.jobs.training", "nstar.jobs.evaluation", "nstar.jobs.collection"),
    *("nstar.jobs.command_line", "nstar.report.axes", "nstar.subjects.registry"),
    *("scipy.optimize", "statsmodels.api", "pyarrow.parquet"),
)
"""What a server imports before it forks."""

PROGRAM = """\
#!{python} -SE
import array, json, os, signal, socket, sys
if not sys.argv[1].endswith(".py"):
    os.execv({python!r}, [{python!r}, *sys.argv[1:]])
server = socket.socket(socket.AF_UNIX)
server.connect({address!r})
request = json.dumps([sys.argv[1:], os.getcwd(), dict(os.environ)]).encode()
streams = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [0, 1, 2]))]
server.sendmsg([b"%20d" % len(request)], streams)
server.sendall(request)
job = int(server.recv(20))
for number in (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1):
    signal.signal(number, lambda number, frame: os.kill(job, number))
sys.exit(int(server.recv(20) or 1))
"""


@functools.cache
def interpreter() -> str:
    """Return the path of the program; the server ends with this process."""
    folder = tempfile.TemporaryDirectory(prefix="forked-")
    address, program = Path(folder.name, "server"), Path(folder.name, "python")
    program.write_text(PROGRAM.format(python=sys.executable, address=str(address)))
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(address))
    listener.listen(64)
    command = [sys.executable, __file__, str(listener.fileno())]
    # In the same session, since a fork can join no group of another one.
    server = subprocess.Popen(command, pass_fds=[listener.fileno()], process_group=0)
    listener.close()
    atexit.register(folder.cleanup)
    atexit.register(server.kill)
    return str(program)


def serve(listener: socket.socket) -> None:
    """Fork a keeper for each program that connects."""
    for name in LOADED:
        importlib.import_module(name)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    while True:
        program, _ = listener.accept()
        if os.fork() == 0:
            listener.close()
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            os._exit(keep(program))
        program.close()


def keep(program: socket.socket) -> int:
    """Fork the job of a program, tell its number and exit code; end it where the program has ended."""
    length, streams, _, _ = socket.recv_fds(program, 20, 3)
    request = program.recv(int(length), socket.MSG_WAITALL)
    peer, _, _ = struct.unpack("3i", program.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
    if (job := os.fork()) == 0:
        program.close()
        os.setpgid(0, os.getpgid(peer))
        be(*json.loads(request), streams)
    program.sendall(b"%20d" % job)
    ended = os.pidfd_open(job)
    ready, _, _ = select.select([ended, program], [], [])
    if ended not in ready:
        os.kill(job, signal.SIGKILL)
    code = os.waitstatus_to_exitcode(os.waitpid(job, 0)[1])
    if ended in ready:
        program.sendall(b"%20d" % (code if code >= 0 else 128 - code))
    return 0


def be(command: list[str], folder: str, environment: dict[str, str], streams: list[int]) -> None:
    """Be the process of a script; never returns."""
    gc.freeze()  # what the server has loaded is no garbage, and searching it takes long
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    customise()
    sys.argv, sys.path[0] = command, str(Path(command[0]).parent)
    code: object = None
    try:
        runpy.run_path(command[0], run_name="__main__")
    except SystemExit as ended:
        code = ended.code
    except BaseException:
        sys.excepthook(*sys.exc_info())
        code = 1
    if isinstance(code, str):
        print(code, file=sys.stderr)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code if isinstance(code, int) else int(code is not None))


def customise() -> None:
    """Run the module ``sitecustomize`` of ``PYTHONPATH``, as Python does at its start."""
    for folder in os.environ.get("PYTHONPATH", "").split(os.pathsep):
        if (module := Path(folder, "sitecustomize.py")).is_file():
            runpy.run_path(str(module))
            return


if __name__ == "__main__":
    serve(socket.socket(fileno=int(sys.argv[1])))
