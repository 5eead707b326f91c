package import AsofCore

/// What may have changed since the last drain, each thing once however often it was touched.
///
/// It names candidates and tells no story: neither what happened to a name nor in which order. Whoever reads it looks at the
/// files; that a name is in it and nothing has changed is no error, that something changed and is not in it is one.
package struct Dirty: Sendable {
    /// One directory's part.
    package struct Directory: Hashable, Sendable {
        /// Entries made, removed or renamed: what they mean is to be looked up.
        package var names: Set<Name> = []
        /// Entries whose content or attributes were changed through that name, which means what it meant unless it is among `names`, too.
        package var touched: Set<Name> = []
        /// Those of `names` that were removed. Only from inotify, which tells nothing of what they meant.
        package var unlinked: Set<Name> = []
        /// The directory's own attributes, or its place in the tree.
        package var isSelfChanged = false
        /// The directory itself is removed, or its file system unmounted: no events will come from it any more.
        package var isGone = false

        package init() {}
    }

    package private(set) var directories: [WatchToken: Directory] = [:]
    /// Files whose content, attributes or number of names changed, by identity: whatever name was used, also one that is gone.
    /// Only from fanotify; never directories.
    package private(set) var files: Set<StableHandle> = []
    /// Directories with events that nobody had registered, as far as the client asked for them. Only from fanotify.
    package private(set) var unknownDirectories: Set<StableHandle> = []
    /// Events were lost, or not understood: anything may have changed.
    package var hasOverflowed = false
    /// Events that the kernel delivered, repeated ones included: a figure for status, not part of what changed.
    package var eventCount = 0

    package init() {}

    /// Nothing changed.
    package var isEmpty: Bool { directories.isEmpty && files.isEmpty && unknownDirectories.isEmpty && !hasOverflowed }

    /// The part of `token`; nil where nothing happened there.
    package subscript(token: WatchToken) -> Directory? { directories[token] }

    package mutating func note(_ name: Name, in token: WatchToken) { directories[token, default: Directory()].names.insert(name) }

    package mutating func note(touched name: Name, in token: WatchToken) { directories[token, default: Directory()].touched.insert(name) }

    package mutating func note(unlinked name: Name, in token: WatchToken) { directories[token, default: Directory()].unlinked.insert(name) }

    package mutating func noteSelf(_ token: WatchToken) { directories[token, default: Directory()].isSelfChanged = true }

    package mutating func noteGone(_ token: WatchToken) { directories[token, default: Directory()].isGone = true }

    package mutating func note(file: StableHandle) { files.insert(file) }

    package mutating func note(unknownDirectory: StableHandle) { unknownDirectories.insert(unknownDirectory) }

    /// Takes over everything that `other` has. Where one side has nothing, the other's storage is taken as it is.
    package mutating func merge(_ other: consuming Dirty) {
        if directories.isEmpty {
            directories = other.directories
        } else {
            for (token, part) in other.directories {
                directories[token, default: Directory()].merge(part)
            }
        }
        if files.isEmpty { files = other.files } else { files.formUnion(other.files) }
        if unknownDirectories.isEmpty {
            unknownDirectories = other.unknownDirectories
        } else {
            unknownDirectories.formUnion(other.unknownDirectories)
        }
        hasOverflowed = hasOverflowed || other.hasOverflowed
        eventCount += other.eventCount
    }

    /// Forgets everything; keeps the memory for the next tick.
    package mutating func removeAll() {
        directories.removeAll(keepingCapacity: true)
        files.removeAll(keepingCapacity: true)
        unknownDirectories.removeAll(keepingCapacity: true)
        hasOverflowed = false
        eventCount = 0
    }
}

extension Dirty.Directory {
    mutating func merge(_ other: Dirty.Directory) {
        if names.isEmpty { names = other.names } else { names.formUnion(other.names) }
        if touched.isEmpty { touched = other.touched } else { touched.formUnion(other.touched) }
        if unlinked.isEmpty { unlinked = other.unlinked } else { unlinked.formUnion(other.unlinked) }
        isSelfChanged = isSelfChanged || other.isSelfChanged
        isGone = isGone || other.isGone
    }
}
