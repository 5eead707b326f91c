"""A directory in memory to which the workload's logged operations are applied: the independent model of its checks."""
import os

import compare_trees
import units


class Node:
    """A file, directory or symbolic link. Hard links are several names of one node."""

    __slots__ = ("kind", "mode", "uid", "gid", "data", "target", "attributes")

    def __init__(self, kind, mode, uid=0, gid=0, data=None, target="", attributes=None):
        self.kind, self.mode, self.uid, self.gid = kind, mode, uid, gid
        self.data, self.target, self.attributes = data, target, attributes or {}

    def copy(self):
        """A copy that can be changed by itself."""
        return Node(self.kind, self.mode, self.uid, self.gid, None if self.data is None else bytearray(self.data), self.target, dict(self.attributes))


def bytes_of(operation):
    """The bytes that a logged write wrote (all of them, or those that a crash is known to have left)."""
    kind = operation["k"]
    if kind == "unit":
        data = units.build(operation["w"], operation["s"], operation["d"], operation["n"])
    elif kind == "raw":
        data = units.raw(operation["w"], operation["s"], operation["n"])
    else:
        data = operation["v"].to_bytes(operation["n"], "little")
    return data[:operation["part"]] if "part" in operation else data


class Tree:
    """path → node."""

    def __init__(self, names=None):
        self.names = names if names is not None else {"/": Node("d", 0o755)}

    def links(self):
        """How many names each node has, by identity."""
        counts = {}
        for node in self.names.values():
            counts[id(node)] = counts.get(id(node), 0) + 1
        return counts

    def apply(self, operation):
        """Performs one logged operation. What has no name any more has no effect."""
        getattr(self, "_" + operation["op"])(operation)

    def tried(self, operation):
        """A copy of the tree in which the operation has been performed; shares what it did not change."""
        other = Tree(dict(self.names))
        node = other.names.get(operation.get("path"))
        if node is not None and operation["op"] in ("write", "truncate", "fallocate", "chmod", "chown", "setxattr", "removexattr"):
            changed = node.copy()
            for name in [name for name, held in other.names.items() if held is node]:
                other.names[name] = changed
        other.apply(operation)
        return other

    def _create(self, o):
        self.names[o["path"]] = Node("f", o["mode"], data=bytearray())

    def _mkdir(self, o):
        self.names[o["path"]] = Node("d", o["mode"])

    def _symlink(self, o):
        self.names[o["path"]] = Node("l", 0o777, target=o["target"])

    def _write(self, o):
        if o["path"] is None:
            return
        data, new, at = self.names[o["path"]].data, bytes_of(o), o["off"]
        if not new:
            return
        if len(data) < at:
            data.extend(bytes(at - len(data)))
        data[at:at + len(new)] = new

    def _truncate(self, o):
        if o["path"] is None:
            return
        data, size = self.names[o["path"]].data, o["size"]
        if size < len(data):
            del data[size:]
        else:
            data.extend(bytes(size - len(data)))

    def _fallocate(self, o):
        data, end = self.names[o["path"]].data, o["off"] + o["n"]
        if o["mode"] & 2:
            end = min(end, len(data))
            if end > o["off"]:
                data[o["off"]:end] = bytes(end - o["off"])
        elif end > len(data):
            data.extend(bytes(end - len(data)))

    def _unlink(self, o):
        del self.names[o["path"]]

    _rmdir = _unlink

    def _link(self, o):
        self.names[o["to"]] = self.names[o["path"]]

    def _rename(self, o):
        old, new = o["path"], o["to"]
        if self.names[old].kind == "d":
            moved = [path for path in self.names if path == old or path.startswith(old + "/")]
        else:
            moved = [old]
        self.names.pop(new, None)
        for path in moved:
            self.names[new + path[len(old):]] = self.names.pop(path)

    def _chmod(self, o):
        self.names[o["path"]].mode = o["mode"]

    def _chown(self, o):
        self.names[o["path"]].uid, self.names[o["path"]].gid = o["uid"], o["gid"]

    def _setxattr(self, o):
        self.names[o["path"]].attributes[o["name"]] = o["value"].encode()

    def _removexattr(self, o):
        self.names[o["path"]].attributes.pop(o["name"], None)

    def _fsync(self, o):
        pass

    def differing(self, have, only=None):
        """How a scanned tree differs: path → what. The root's own mode and owner are not the workload's."""
        counts, found = self.links(), {}
        for path in (self.names.keys() | have.keys()) if only is None else only:
            if path != "/":
                what = self._difference(path, have.get(path), counts)
                if what:
                    found[path] = what
        return found

    def _difference(self, path, entry, counts):
        node = self.names.get(path)
        if node is None or entry is None:
            return None if node is entry else "missing" if entry is None else "extra"
        if node.kind != entry.kind:
            return f"kind: want {node.kind} have {entry.kind}"
        if node.kind == "f":
            if entry.size != len(entry.data):
                return f"size: stat says {entry.size}, {len(entry.data)} can be read"
            if node.data != entry.data:
                at = compare_trees.first_difference(node.data, entry.data)
                return f"content: want {len(node.data)} bytes have {len(entry.data)}, from byte {at}"
        if node.kind == "l" and node.target != entry.target:
            return f"target: want {node.target} have {entry.target}"
        if node.kind != "l" and node.mode != entry.mode:
            return f"mode: want {node.mode:04o} have {entry.mode:04o}"
        if (node.uid, node.gid) != (entry.uid, entry.gid):
            return f"owner: want {node.uid}:{node.gid} have {entry.uid}:{entry.gid}"
        if node.attributes != entry.attributes:
            return f"attributes: want {node.attributes} have {entry.attributes}"
        if node.kind == "f" and counts[id(node)] != entry.links:
            return f"links: want {counts[id(node)]} have {entry.links}"
        return None

    def write_to(self, folder):
        """Makes an empty folder this directory, by system calls."""
        written = {}
        for path in sorted(self.names):
            node, full = self.names[path], f"{folder}{path}"
            if path == "/":
                continue
            if id(node) in written and node.kind != "d":
                os.link(written[id(node)], full, follow_symlinks=False)
                continue
            written[id(node)] = full
            if node.kind == "d":
                os.mkdir(full)
            elif node.kind == "l":
                os.symlink(node.target, full)
            else:
                with open(full, "wb") as file:
                    file.write(node.data)
            for name, value in node.attributes.items():
                os.setxattr(full, name, value, follow_symlinks=False)
            if node.uid or node.gid:
                os.chown(full, node.uid, node.gid, follow_symlinks=False)
            if node.kind != "l":
                os.chmod(full, node.mode)
