"""A directory in memory, calls that change it, and the same calls made on a real directory. An independent model for single writers.

A call is a tuple: its name, then paths and numbers. Contents are made from a seed, so that a call is a few words.
"""
import copy
import ctypes
import errno
import os
import random
import stat

_libc = ctypes.CDLL(None, use_errno=True)
_KEEP_SIZE, _PUNCH_HOLE, _ZERO_RANGE = 1, 2, 16


def content(seed, length):
    """Bytes that belong to a seed."""
    return random.Random(seed).randbytes(length)


class Node:
    """A file, directory or symbolic link."""

    def __init__(self, kind, mode=0o644):
        self.kind, self.mode, self.data, self.names, self.target, self.attributes = kind, mode, bytearray(), {}, None, {}


class Model:
    """The directory."""

    def __init__(self):
        self.root = Node("d", 0o755)

    @classmethod
    def read(cls, root):
        """The model of a real directory of files, folders and symbolic links."""
        model, known = cls(), {}
        stack = [(str(root), model.root)]
        while stack:
            folder, node = stack.pop()
            node.attributes = {n: os.getxattr(folder, n) for n in os.listxattr(folder) if n.startswith("user.") and not n.startswith("user.asof.")}
            for entry in os.scandir(folder):
                status = entry.stat(follow_symlinks=False)
                child = known.get(status.st_ino)
                if child is None:
                    kind = {stat.S_IFREG: "f", stat.S_IFDIR: "d", stat.S_IFLNK: "l"}[stat.S_IFMT(status.st_mode)]
                    child = known[status.st_ino] = Node(kind, stat.S_IMODE(status.st_mode))
                    if kind == "l":
                        child.target = os.readlink(entry.path)
                    elif kind == "f":
                        with open(entry.path, "rb") as file:
                            child.data = bytearray(file.read())
                        child.attributes = {n: os.getxattr(entry.path, n) for n in os.listxattr(entry.path) if n.startswith("user.")}
                    else:
                        stack.append((entry.path, child))
                node.names[entry.name] = child
        return model

    def copy(self):
        """One that later calls do not change."""
        return copy.deepcopy(self)

    def find(self, path):
        """The node of a path; None where there is none."""
        node = self.root
        for name in [part for part in path.split("/") if part]:
            if node.kind != "d" or name not in node.names:
                return None
            node = node.names[name]
        return node

    def _place(self, path):
        folder, _, name = path.rpartition("/")
        return self.find(folder), name

    def paths(self, kind=None):
        """All paths, of one kind or all."""
        found, stack = [], [("", self.root)]
        while stack:
            path, node = stack.pop()
            for name, child in node.names.items():
                below = f"{path}/{name}" if path else name
                if kind is None or child.kind == kind:
                    found.append(below)
                if child.kind == "d":
                    stack.append((below, child))
        return sorted(found)

    def apply(self, call):
        """Does what the call does when it succeeds."""
        what, path, *rest = call
        parent, name = self._place(path)
        node = self.find(path)
        if what in ("create", "mkdir", "symlink"):
            made = Node({"create": "f", "mkdir": "d", "symlink": "l"}[what], rest[0] if what != "symlink" else 0o777)
            made.target = rest[0] if what == "symlink" else None
            parent.names[name] = made
        elif what == "write":
            seed, offset, length = rest
            node.data.extend(bytes(max(0, offset + length - len(node.data))))
            node.data[offset:offset + length] = content(seed, length)
        elif what == "truncate":
            del node.data[rest[0]:]
            node.data.extend(bytes(rest[0] - len(node.data)))
        elif what in ("punch", "zero"):
            offset, length = rest
            if what == "zero":
                node.data.extend(bytes(max(0, offset + length - len(node.data))))
            end = min(len(node.data), offset + length)
            if offset < end:
                node.data[offset:end] = bytes(end - offset)
        elif what == "unlink" or what == "rmdir":
            del parent.names[name]
        elif what == "link":
            folder, last = self._place(rest[0])
            folder.names[last] = node
        elif what in ("rename", "exchange"):
            folder, last = self._place(rest[0])
            other = folder.names.get(last)
            if other is node and what == "rename":
                return
            folder.names[last] = node
            if what == "exchange":
                parent.names[name] = other
            else:
                del parent.names[name]
        elif what == "chmod":
            node.mode = rest[0]
        elif what == "setxattr":
            node.attributes[rest[0]] = content(rest[1], rest[2])
        elif what == "removexattr":
            del node.attributes[rest[0]]


def perform(root, call):
    """Makes the call on a real directory. Raises OSError."""
    what, path, *rest = call
    full = os.path.join(root, path)
    if what == "create":
        os.close(os.open(full, os.O_CREAT | os.O_EXCL | os.O_WRONLY, rest[0]))
        return
    if what in ("write", "punch", "zero", "fsync"):
        descriptor = os.open(full, os.O_RDWR)
        try:
            if what == "write":
                seed, offset, length = rest
                done, data = 0, content(seed, length)
                while done < length:
                    done += os.pwrite(descriptor, data[done:], offset + done)
            elif what == "fsync":
                os.fsync(descriptor)
            else:
                mode = _PUNCH_HOLE | _KEEP_SIZE if what == "punch" else _ZERO_RANGE
                if _libc.fallocate(descriptor, mode, ctypes.c_int64(rest[0]), ctypes.c_int64(rest[1])) != 0:
                    raise OSError(ctypes.get_errno(), "fallocate")
        finally:
            os.close(descriptor)
    elif what == "exchange":
        if _libc.renameat2(-100, full.encode(), -100, os.path.join(root, rest[0]).encode(), 2) != 0:
            raise OSError(ctypes.get_errno(), "renameat2")
    elif what == "fsyncdir":
        descriptor = os.open(full, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    elif what == "mkdir":
        os.mkdir(full, rest[0])
    elif what == "symlink":
        os.symlink(rest[0], full)
    elif what == "link":
        os.link(full, os.path.join(root, rest[0]))
    elif what == "rename":
        os.rename(full, os.path.join(root, rest[0]))
    elif what == "setxattr":
        os.setxattr(full, rest[0], content(rest[1], rest[2]))
    elif what == "removexattr":
        os.removexattr(full, rest[0])
    else:
        {"truncate": os.truncate, "unlink": os.unlink, "rmdir": os.rmdir, "chmod": os.chmod}[what](full, *rest)


class Calls:
    """Random calls that succeed on a model."""

    def __init__(self, seed, prefix="", fsyncs=True):
        self.chance, self.prefix, self.fsyncs, self.count = random.Random(seed), prefix, fsyncs, 0

    def _new(self, model):
        folder = self.chance.choice([self.prefix.rstrip("/")] + [p for p in model.paths("d") if p.startswith(self.prefix)])
        self.count += 1
        return f"{folder}/n{self.count}-{self.chance.randrange(1 << 20):x}".lstrip("/")

    def next(self, model):
        """A call."""
        chance = self.chance
        while True:
            kind = chance.choices(
                ["create", "mkdir", "symlink", "write", "append", "large", "truncate", "punch", "zero", "unlink", "rmdir", "link", "rename", "over",
                 "exchange", "chmod", "setxattr", "removexattr", "fsync", "fsyncdir"],
                [12, 5, 2, 20, 16, 1, 6, 3, 3, 7, 3, 3, 6, 4, 1, 3, 4, 1, 6, 1])[0]
            call = self._made(kind, model)
            if call is not None:
                return call

    def _made(self, kind, model):
        chance = self.chance
        files = [p for p in model.paths("f") if p.startswith(self.prefix)]
        folders = [p for p in model.paths("d") if p.startswith(self.prefix)]
        if kind in ("create", "mkdir", "symlink"):
            if len(files) + len(folders) > 120 and kind != "symlink":
                return None
            rest = f"to/{chance.randrange(1000)}" if kind == "symlink" else chance.choice([0o644, 0o600, 0o755])
            return (kind, self._new(model), rest)
        if kind in ("rmdir", "fsyncdir"):
            if not folders:
                return None
            path = chance.choice(folders)
            return (kind, path) if kind == "fsyncdir" and self.fsyncs or kind == "rmdir" and not model.find(path).names else None
        if not files:
            return None
        path = chance.choice(files)
        size = len(model.find(path).data)
        if kind in ("write", "append", "large"):
            length = chance.choice([1, 100, 4096, 5000, chance.randrange(1, 70_000)]) if kind != "large" else 1 << 20
            offset = size if kind == "append" else chance.choice([0, size, chance.randrange(size + 10_000), chance.randrange(max(1, size))])
            return ("write", path, chance.randrange(1 << 40), offset, length) if offset + length < 3 << 20 else None
        if kind == "truncate":
            return (kind, path, chance.choice([0, size // 2, chance.randrange(size + 9000)]))
        if kind in ("punch", "zero"):
            return (kind, path, chance.randrange(size + 1), chance.randrange(1, 20_000))
        if kind == "fsync":
            return (kind, path) if self.fsyncs else None
        if kind in ("unlink",):
            return (kind, path)
        if kind == "link":
            return (kind, path, self._new(model))
        if kind == "rename":
            source = chance.choice(files + folders)
            target = self._new(model)
            return None if target.startswith(source + "/") else (kind, source, target)
        if kind in ("over", "exchange"):
            other = chance.choice(files)
            return ("rename" if kind == "over" else kind, path, other) if other != path else None
        if kind == "chmod":
            return (kind, path, chance.choice([0o600, 0o644, 0o400, 0o755]))
        if kind == "setxattr":
            return (kind, path, f"user.k{chance.randrange(3)}", chance.randrange(1 << 30), chance.randrange(200))
        names = sorted(model.find(path).attributes)
        return (kind, path, chance.choice(names)) if names else None


def differences(model, root, may_differ=None, most=10):
    """Where a real directory is not what the model says, one line each. `may_differ`: {path: {offset: other bytes that may stand there}}."""
    lines, ids = [], {}
    stack = [("", model.root)]
    while stack and len(lines) < most:
        path, node = stack.pop()
        full = os.path.join(root, path) if path else str(root)
        try:
            status = os.lstat(full)
        except OSError as problem:
            lines.append(f"{path or '.'}: {errno.errorcode.get(problem.errno, problem.errno)}")
            continue
        kind = {stat.S_IFREG: "f", stat.S_IFDIR: "d", stat.S_IFLNK: "l"}.get(stat.S_IFMT(status.st_mode), "?")
        if kind != node.kind:
            lines.append(f"{path or '.'}: is {kind}, expected {node.kind}")
            continue
        if path and kind != "l" and stat.S_IMODE(status.st_mode) != node.mode:
            lines.append(f"{path}: mode {stat.S_IMODE(status.st_mode):o}, expected {node.mode:o}")
        if kind == "l":
            if os.readlink(full) != node.target:
                lines.append(f"{path}: another target")
            continue
        if ids.setdefault(id(node), status.st_ino) != status.st_ino:
            lines.append(f"{path}: is not the file that its other name is")
        attributes = {n: os.getxattr(full, n) for n in os.listxattr(full) if n.startswith("user.") and not n.startswith("user.asof.")}
        if attributes != node.attributes:
            lines.append(f"{path or '.'}: extended attributes {sorted(attributes)}, expected {sorted(node.attributes)} or their values")
        if kind == "d":
            found = set(os.listdir(full))
            if found != set(node.names):
                lines.append(f"{path or '.'}: has {sorted(found - set(node.names))[:5]} too much and lacks {sorted(set(node.names) - found)[:5]}")
            stack.extend((f"{path}/{name}" if path else name, child) for name, child in node.names.items() if name in found)
            continue
        links = sum(1 for p in model.paths("f") if model.find(p) is node) if status.st_nlink > 1 else 1
        if status.st_nlink != links:
            lines.append(f"{path}: {status.st_nlink} links, expected {links}")
        with open(full, "rb") as file:
            data = file.read()
        if data != bytes(node.data):
            at = next((i for i, (a, b) in enumerate(zip(data, node.data)) if a != b), min(len(data), len(node.data)))
            if may_differ is None or len(data) != len(node.data) or not may_differ(node, data):
                lines.append(f"{path}: {len(data)} bytes, expected {len(node.data)}; they differ from {at} on")
    return lines
