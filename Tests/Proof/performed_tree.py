"""A directory in memory to which operations of a trace are applied, in any order that their dependencies allow."""


class Directory:
    """Path → node: {"kind": "d" | "f" | "l", "mode", "data" or "target"}. Hard links are several names of one node."""

    def __init__(self, read, names=None):
        #: Gives the bytes of a write.
        self.read = read
        self.names = names if names is not None else {"/": {"kind": "d", "mode": 0o755}}

    def apply(self, operation):
        """Makes one operation."""
        action = getattr(self, "_" + operation["op"], None)
        if action:
            action(operation, operation["path"])

    def tried(self, operation):
        """A copy in which an operation has been made; shares what it did not change."""
        other = Directory(self.read, dict(self.names))
        node = other.names.get(operation["path"])
        if node is not None and operation["op"] in ("write", "truncate", "fallocate", "chmod"):
            changed = {**node, "data": bytearray(node["data"])} if "data" in node else dict(node)
            for name in [name for name, held in other.names.items() if held is node]:
                other.names[name] = changed
        other.apply(operation)
        return other

    def _mkdir(self, o, path):
        self.names[path] = {"kind": "d", "mode": o["mode"] & 0o7777}

    def _create(self, o, path):
        self.names[path] = {"kind": "f", "mode": o["mode"] & 0o7777, "data": bytearray()}

    def _symlink(self, o, path):
        self.names[path] = {"kind": "l", "mode": 0o777, "target": o["target"]}

    def _write(self, o, path):
        data, new, at = self.names[path]["data"], self.read(o), o["off"]
        new = new[:o["part"]] if "part" in o else new
        if len(data) < at:
            data.extend(bytes(at - len(data)))
        data[at:at + len(new)] = new

    def _truncate(self, o, path):
        data, size = self.names[path]["data"], o["size"]
        if size < len(data):
            del data[size:]
        else:
            data.extend(bytes(size - len(data)))

    def _fallocate(self, o, path):
        data, end = self.names[path]["data"], o["off"] + o["len"]
        if o["mode"] & 2:
            end = min(end, len(data))
            if end > o["off"]:
                data[o["off"]:end] = bytes(end - o["off"])
        elif not o["mode"] & 1 and end > len(data):
            data.extend(bytes(end - len(data)))

    def _unlink(self, o, path):
        del self.names[path]

    _rmdir = _unlink

    def _link(self, o, path):
        self.names[o["to"]] = self.names[path]

    def _chmod(self, o, path):
        self.names[path]["mode"] = o["mode"] & 0o7777

    def _rename(self, o, path):
        new = o["to"]
        moved = [p for p in self.names if p == path or p.startswith(path + "/")] if self.names[path]["kind"] == "d" else [path]
        self.names.pop(new, None)
        for p in moved:
            self.names[new + p[len(path):]] = self.names.pop(p)
