/// A path that a user asks the log about, from the root of what is captured: `x/y`, `./x/y`, `/x/y` and `x/y/` are one.
package struct LogPath: Sendable {
    package let text: String

    /// Nil: the root, which everything is below.
    package init?(_ given: String) {
        var parts: [Substring] = []
        for part in given.split(separator: "/") where part != "." {
            if part == ".." { _ = parts.popLast() } else { parts.append(part) }
        }
        guard !parts.isEmpty else { return nil }
        text = parts.joined(separator: "/")
    }

    /// True for the path itself and what is below it.
    package func covers(_ path: String) -> Bool { path == text || path.hasPrefix(text + "/") }

    /// True when it is below `path`: what happens to that name happens to it.
    package func isBelow(_ path: String) -> Bool { text.hasPrefix(path + "/") }
}
