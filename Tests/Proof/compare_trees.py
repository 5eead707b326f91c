#!/usr/bin/env python3
"""Compare two directories in everything that a view must keep.

  compare_trees.py WANT HAVE [--ignore-times] [--ignore-directory-links]

Compared: names, kinds, sizes, contents, modes, owners, link counts, which names are links of one file, extended attributes,
symbolic links' targets, modification times to the nanosecond. Not compared: sizes of directories, access and change times,
inode numbers, allocation. Prints a line per difference and exits 1 when there are any.
"""
import argparse
import concurrent.futures
import hashlib
import os
import stat
import sys
from dataclasses import dataclass, field

#: What a view's root says about itself; no part of the directory.
OWN_ATTRIBUTES = "user.asof."

_KINDS = {stat.S_IFREG: "f", stat.S_IFDIR: "d", stat.S_IFLNK: "l", stat.S_IFIFO: "p", stat.S_IFSOCK: "s", stat.S_IFCHR: "c", stat.S_IFBLK: "b"}


class Inconsistent(OSError):
    """A tree contradicts itself: what readdir says is not what stat says."""


@dataclass
class Entry:
    """What one name shows."""

    kind: str
    mode: int = 0
    uid: int = 0
    gid: int = 0
    size: int = 0
    links: int = 1
    mtime: int = 0
    inode: int = 0
    target: str = ""
    attributes: dict = field(default_factory=dict)
    #: The bytes, or their length and hash (see `scan`); None for what has none.
    data: bytes = None
    hashed: bool = False


def read_whole(path):
    """All bytes of a file up to where reading ends (which need not be where `stat` says)."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        size = os.fstat(descriptor).st_size
        pieces = []
        while piece := os.read(descriptor, min(max(size + 1, 1 << 16), 1 << 22)):
            pieces.append(piece)
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)
    finally:
        os.close(descriptor)


def _hash(path):
    digest, length = hashlib.blake2b(digest_size=32), 0
    with open(path, "rb", buffering=0) as file:
        while piece := file.read(1 << 20):
            digest.update(piece)
            length += len(piece)
    return length.to_bytes(8, "little") + digest.digest()


def _attributes(path):
    try:
        names = os.listxattr(path, follow_symlinks=False)
    except OSError as problem:
        if problem.errno == 95:  # the file system has none
            return {}
        raise
    return {name: os.getxattr(path, name, follow_symlinks=False) for name in names if not name.startswith(OWN_ATTRIBUTES)}


def _entry(path, hashed, attributes):
    status = os.lstat(path)
    kind = _KINDS[stat.S_IFMT(status.st_mode)]
    entry = Entry(kind, status.st_mode & 0o7777, status.st_uid, status.st_gid, status.st_size, status.st_nlink, status.st_mtime_ns, status.st_ino)
    if attributes:
        entry.attributes = _attributes(path)
    if kind == "f":
        entry.data, entry.hashed = (_hash(path) if hashed else read_whole(path)), hashed
    elif kind == "l":
        entry.target = os.readlink(path)
    return entry


def names(root):
    """Every path below `root` (from its root, with a leading slash; the root itself is "/"), with the kind readdir told."""
    found, waiting = {"/": "d"}, [""]
    while waiting:
        folder = waiting.pop()
        with os.scandir(root + folder) as entries:
            for entry in entries:
                path = f"{folder}/{entry.name}"
                if path in found:
                    raise Inconsistent(f"{path} is listed twice")
                is_folder = entry.is_dir(follow_symlinks=False)
                found[path] = "d" if is_folder else "l" if entry.is_symlink() else "f" if entry.is_file(follow_symlinks=False) else "?"
                if is_folder:
                    waiting.append(path)
    return found


_readers = concurrent.futures.ThreadPoolExecutor(4)


def scan(root, hashed=False, attributes=True):
    """Reads a whole tree: path → Entry. With `hashed` the contents are replaced by a hash of them."""
    root = str(root).rstrip("/")
    listed = names(root)
    paths = list(listed)

    def batch(part):
        return [(path, _entry(root + path if path != "/" else root + "/", hashed, attributes)) for path in part]

    step = max(16, len(paths) // 16)
    tree = {}
    for rows in _readers.map(batch, [paths[i:i + step] for i in range(0, len(paths), step)]):
        for path, entry in rows:
            if listed[path] not in (entry.kind, "?"):
                raise Inconsistent(f"{path}: readdir says {listed[path]}, stat says {entry.kind}")
            tree[path] = entry
    return tree


def differences(want, have, times=True, directory_links=True):
    """The lines that say how the tree `have` differs from the tree `want` (both from `scan`)."""
    found = []
    for path in sorted(want.keys() | have.keys()):
        a, b = want.get(path), have.get(path)
        if b is None:
            found.append(f"missing {path}")
        elif a is None:
            found.append(f"extra {path}")
        else:
            found += [f"differs {path}: {what}" for what in _fields(a, b, times, directory_links)]
    found += _link_groups(want, have)
    return found


def _fields(a, b, times, directory_links):
    if a.kind != b.kind:
        yield f"kind: want {a.kind} have {b.kind}"
        return
    for name in ("mode", "uid", "gid", "target", "attributes"):
        if getattr(a, name) != getattr(b, name):
            show = (lambda v: f"{v:04o}") if name == "mode" else repr
            yield f"{name}: want {show(getattr(a, name))} have {show(getattr(b, name))}"
    if a.kind != "d" and a.size != b.size:
        yield f"size: want {a.size} have {b.size}"
    if (a.kind != "d" or directory_links) and a.links != b.links:
        yield f"links: want {a.links} have {b.links}"
    if times and a.mtime != b.mtime:
        yield f"mtime: want {a.mtime} have {b.mtime} ({b.mtime - a.mtime:+d} ns)"
    if a.data != b.data:
        yield f"content: {_length(a)} bytes want, {_length(b)} have" + ("" if a.hashed else f", from byte {first_difference(a.data, b.data)}")


def _length(entry):
    return int.from_bytes(entry.data[:8], "little") if entry.hashed else len(entry.data)


def first_difference(a, b):
    """The index of the first byte in which two strings differ."""
    low, high = 0, min(len(a), len(b))
    if a[:high] == b[:high]:
        return high
    while low < high:
        middle = (low + high) // 2
        if a[low:middle + 1] == b[low:middle + 1]:
            low = middle + 1
        else:
            high = middle
    return low


def _groups(tree):
    groups = {}
    for path, entry in tree.items():
        if entry.kind != "d" and entry.links > 1:
            groups.setdefault(entry.inode, []).append(path)
    return {tuple(sorted(paths)) for paths in groups.values()}


def _link_groups(want, have):
    common = want.keys() & have.keys()
    only = _groups(want) ^ _groups(have)
    return [f"links of one file differ: {' '.join(group)}" for group in sorted(only) if all(path in common for path in group)]


def compare(want, have, **options):
    """Compares two directories; the contents are hashed, so they may be large."""
    return differences(scan(want, hashed=True), scan(have, hashed=True), **options)


def tree_hash(root):
    """One hash over everything that is compared here."""
    digest = hashlib.blake2b(digest_size=16)
    tree = scan(root, hashed=True)
    for path in sorted(tree):
        e = tree[path]
        size = 0 if e.kind == "d" else e.size
        digest.update(repr((path, e.kind, e.mode, e.uid, e.gid, size, e.links, e.mtime, e.target, sorted(e.attributes.items()), e.data)).encode(errors="surrogateescape"))
    return digest.hexdigest()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("want")
    parser.add_argument("have")
    parser.add_argument("--ignore-times", action="store_true", help="do not compare modification times")
    parser.add_argument("--ignore-directory-links", action="store_true", help="do not compare link counts of directories")
    given = parser.parse_args()
    found = compare(given.want, given.have, times=not given.ignore_times, directory_links=not given.ignore_directory_links)
    print("\n".join(found[:200]))
    print(f"{len(found)} differences")
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
