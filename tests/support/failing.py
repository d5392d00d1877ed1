"""Calls of the file system that fail, or end the process: one of them, chosen by its number."""

import builtins
import io
import os

ENDED = 77
"""The exit code of a process that ended at its call."""

CHANGES = ("fsync", "replace", "rename", "unlink", "mkdir", "rmdir", "symlink")
LOOKS = ("stat", "lstat", "listdir", "scandir", "readlink")
"""Functions of `os`; `open` and writing to what is open are noted too."""
EVERY = (*CHANGES, *LOOKS, "open", "write", "read")


class Failing:
    """Notes calls that concern files of a folder (`calls`), and lets one of them fail.

    Parameters
    ----------
    monkeypatch : pytest.MonkeyPatch
    folder : path
        As calls name it.
    at : int
        Number of the call that fails, from 1; none for 0.
    failure : int or None
        The error that it raises; None ends the process there.
    among : collection of str
        Names of the calls that are noted: functions of `os`, ``open`` for writing, ``write``, ``read``.
    """

    def __init__(self, monkeypatch, folder, at=0, failure=None, among=EVERY):
        self.folder, self.at, self.failure = os.fspath(folder), at, failure
        self.calls: list[str] = []
        self.among = among
        for name in (*CHANGES, *LOOKS):
            monkeypatch.setattr(os, name, self._wrapped(getattr(os, name), name))
        opened = self._opening(io.open)
        monkeypatch.setattr(io, "open", opened)
        monkeypatch.setattr(builtins, "open", opened)

    def _note(self, path, name):
        if name not in self.among:
            return
        self.calls.append(name)
        if len(self.calls) == self.at:
            if self.failure is None:
                os._exit(ENDED)
            raise OSError(self.failure, os.strerror(self.failure), str(path))

    def _concerns(self, path):
        return isinstance(path, int) or str(os.fspath(path)).startswith(self.folder)

    def _wrapped(self, call, name):
        def wrapped(path=".", *arguments, **options):
            if self._concerns(path):
                self._note(path, name)
            return call(path, *arguments, **options)

        return wrapped

    def _opening(self, call):
        def opening(path, mode="r", *arguments, **options):
            if isinstance(path, int) or not self._concerns(path):
                return call(path, mode, *arguments, **options)
            reads = mode in ("r", "rb")
            self._note(path, "read" if reads else "open")
            file = call(path, mode, *arguments, **options)
            return file if reads else _Written(file, lambda: self._note(path, "write"))

        return opening


class _Written:
    """A file that tells of every call of `write`."""

    def __init__(self, file, tell):
        self._file, self._tell = file, tell

    def write(self, content):
        self._tell()
        return self._file.write(content)

    def __getattr__(self, name):
        return getattr(self._file, name)

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self._file.close()
