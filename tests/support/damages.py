"""Damages of files of a results folder, drawn from a seed: what disks, tools and people do to them."""

import json
import os
import shutil
import zipfile
from contextlib import suppress

from nstar.specification import canonical_json
from nstar.store.archive import _checksum

VALUES = (None, [], {}, "", "x", -1, 0, 10**30, 0.5, True, [[]], {"n": 1}, "\x1b[31m", [10**9] * 3)
"""What a person or a program may write in the place of something else."""


def truncated(path, rng):
    content = path.read_bytes()
    path.write_bytes(content[: rng.randrange(len(content))])


def flipped_bit(path, rng):
    content = bytearray(path.read_bytes())
    content[rng.randrange(len(content))] ^= 1 << rng.randrange(8)
    path.write_bytes(content)


def zeroed_run(path, rng):
    content = bytearray(path.read_bytes())
    start = rng.randrange(len(content))
    stop = min(len(content), start + rng.choice((1, 16, 512, 4096)))
    content[start:stop] = bytes(stop - start)
    path.write_bytes(content)


def longer(path, rng):
    with path.open("ab") as file:
        file.write(rng.randbytes(rng.choice((1, 22, 5000))))


def swapped(path, rng):
    results = next(parent for parent in path.parents if (parent / "data").is_dir())
    others = sorted(set(results.rglob("*.zarr.zip")) - {path})
    shutil.copy(rng.choice(others), path)


def foreign(path, rng):
    path.write_bytes(
        rng.choice((b"", b"[]", b"PK\5\6" + bytes(18), b"\x89PNG\r\n", rng.randbytes(999)))
    )


def foreign_zip(path, rng):
    with zipfile.ZipFile(
        path, "w", rng.choice((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED))
    ) as archive:
        archive.writestr(
            rng.choice(("zarr.json", "a.txt", "../a")), rng.choice(("{}", "[]", "[" * 9999))
        )


def other_kind(path, rng):
    path.unlink()
    make = (path.mkdir, lambda: os.mkfifo(path), lambda: path.symlink_to("/dev/zero"))
    make += (lambda: path.symlink_to("nowhere"), lambda: path.symlink_to(path.name))
    rng.choice(make)()


def edited_number(path, rng):
    """Change a digit of a text, as a person does who wants another number."""
    content = bytearray(path.read_bytes())
    places = [i for i, byte in enumerate(content) if 48 <= byte <= 57]
    if not places:
        return truncated(path, rng)
    place = rng.choice(places)
    content[place] = 48 + (content[place] - 47) % 10
    path.write_bytes(content)


def lost(path, rng):
    path.unlink()


def exchanged(path, rng):
    """Let two files of a folder change their places."""
    others = sorted(other for other in path.parent.iterdir() if other.is_file() and other != path)
    if not others:
        return path.unlink()
    other, aside = rng.choice(others), path.with_name("aside")
    for old, new in ((path, aside), (other, path), (aside, other)):
        old.rename(new)


def edited_header(path, rng):
    """Change something in the attributes, with the checksum that fits."""

    def edit(entries):
        root = json.loads(entries["zarr.json"])
        attributes = root["attributes"]
        if rng.random() < 0.1:
            root["attributes"] = rng.choice(VALUES)
        elif rng.random() < 0.3:
            _change(attributes, rng)
        else:
            name = rng.choice(("specification", "summary", "summary", "provenance"))
            parsed = json.loads(attributes[name])
            _change(_inside(parsed, rng), rng)
            attributes[name] = canonical_json(parsed)
        entries["zarr.json"] = canonical_json(root).encode()

    rewritten(path, edit)


def edited_description(path, rng):
    """Change something that an array says of itself, with the checksum that fits."""

    def edit(entries):
        name = rng.choice(sorted(name for name in entries if name.endswith("/zarr.json")))
        entry = json.loads(entries[name])
        choice = rng.randrange(6)
        if choice == 0:
            entry["shape"] = [rng.choice((0, 1, 10**12, -1)) for _ in entry["shape"]]
        elif choice == 1:
            types = ("complex128", "float64", "int8", "string", "r16", {"name": "numpy.datetime64"})
            entry["data_type"] = rng.choice([kind for kind in types if kind != entry["data_type"]])
        elif choice == 2:
            attributes = {"scale_factor": 2, "add_offset": 1, "units": "days since 2000-01-01"}
            attributes |= {"_FillValue": 3, "missing_value": 1, "dtype": "bool"}
            key = rng.choice(sorted(attributes))
            entry["attributes"][key] = attributes[key]
        elif choice == 3:
            entry["codecs"] = [{"name": rng.choice(("vlen-utf8", "gzip", "sharding_indexed"))}]
        else:
            _change(entry, rng)
        entries[name] = canonical_json(entry).encode()

    rewritten(path, edit)


def lost_entry(path, rng):
    """A checksum that fits would say that the lost chunk held nothing but the fill value."""
    rewritten(path, lambda entries: entries.pop(rng.choice(sorted(entries))), with_checksum=False)


def _inside(value, rng):
    """Return a list or an object somewhere in nested ones."""
    below = [v for v in _values(value) if isinstance(v, dict | list) and v]
    return value if not below or rng.random() < 0.4 else _inside(rng.choice(below), rng)


def _values(value):
    return list(value.values()) if isinstance(value, dict) else list(value)


def _change(value, rng):
    """Replace, remove or add an entry of a list or an object."""
    keys = sorted(value) if isinstance(value, dict) else range(len(value))
    choice = rng.randrange(3)
    if choice == 0 and isinstance(value, dict):
        value[rng.choice(("foreign", "\x1b[31m", "n"))] = rng.choice(VALUES)
    elif keys:
        key = rng.choice(list(keys))
        if choice == 1:
            del value[key]
        else:
            value[key] = rng.choice(VALUES)


def rewritten(path, edit, with_checksum=True):
    """Write a store again with its entries changed, and with the checksum that they then have."""
    with zipfile.ZipFile(path) as archive:
        entries = {name: archive.read(name) for name in archive.namelist()}
    edit(entries)
    with suppress(
        KeyError, TypeError, AttributeError, ValueError
    ):  # nothing for a checksum to be in
        root = json.loads(entries["zarr.json"])
        root["attributes"]["checksum"] = _checksum(entries) if with_checksum else "0"
        entries["zarr.json"] = canonical_json(root).encode()
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in sorted(entries.items()):
            archive.writestr(zipfile.ZipInfo(name), content)


OF_ANY_FILE = (truncated, flipped_bit, zeroed_run, longer, foreign, other_kind)
OF_DERIVED_FILES = (*OF_ANY_FILE, edited_number, lost, exchanged)
OF_STORES = (*OF_ANY_FILE, swapped, foreign_zip, edited_header, edited_header)
OF_STORES += (edited_description, edited_description, lost_entry)
