"""A trace as a list of system calls for a program in C (Scripts/bench-load.c), which replays it without the cost of Python.

Which descriptors are open when is decided here, as `trace.py`'s Driver does it.
"""


def translated(operations, sync=True, timed=False):
    """The lines: one system call each, fields separated by tabs, paths relative to the root. `timed`: with the times between them."""
    lines, slots, free = [], {}, list(range(500))

    def close(path):
        if path in slots:
            slot = slots.pop(path)
            free.append(slot)
            lines.append(f"x\t{slot}")

    def close_below(path):
        for held in [held for held in slots if held == path or held.startswith(path + "/")]:
            close(held)

    def take(path):
        if len(slots) > 400:
            close(next(iter(slots)))
        slots[path] = free.pop()
        return slots[path]

    def opened(path):
        if path not in slots:
            lines.append(f"o\t{take(path)}\t{path[1:]}")
        return slots[path]

    for o in operations:
        kind, path = o["op"], o["path"]
        if timed:
            lines.append(f"@\t{o['t'] - operations[0]['t']}")
        if kind == "mkdir":
            lines.append(f"m\t{path[1:]}\t{o['mode'] & 0o7777}")
        elif kind == "create":
            close_below(path)
            lines.append(f"c\t{take(path)}\t{path[1:]}\t{o['mode'] & 0o7777}")
        elif kind == "write":
            lines.append(f"w\t{opened(path)}\t{o['off']}\t{o['len']}\t{o['blob']}")
        elif kind == "truncate":
            lines.append(f"t\t{opened(path)}\t{o['size']}")
        elif kind == "unlink":
            close_below(path)
            lines.append(f"u\t{path[1:]}")
        elif kind == "rmdir":
            lines.append(f"d\t{path[1:]}")
        elif kind == "rename":
            close_below(o["to"])
            close_below(path)
            lines.append(f"r\t{path[1:]}\t{o['to'][1:]}")
        elif kind == "fsync" and path in slots and sync:
            lines.append(f"s\t{slots[path]}")
        elif kind == "close":
            close_below(path)
        elif kind not in ("fsync", "mark"):
            raise ValueError(f"operation {o['n']}: {kind} cannot be replayed")
    for path in list(slots):
        close(path)
    return lines
