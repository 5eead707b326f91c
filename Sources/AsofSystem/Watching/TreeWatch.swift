/// Watches the directories it is told of and answers "what changed since I last asked".
///
/// How to miss nothing: `add` a directory first and list it then. What happens before `add` is in the listing, what happens
/// after it is in the next `drain`, and what happens between is in both. A directory made in a watched one shows as a changed
/// name of its parent; what was put into it before it was added is found by that listing.
///
/// What no way of watching sees: writes through a shared mapping (`mmap`), and writes that another host makes to a network
/// file system.
package protocol TreeWatch: AnyObject, Sendable {
    /// Watches a directory, by a descriptor that is open on it (`O_PATH` suffices) and may be closed afterwards. The watch stays
    /// with the directory when that is renamed. A directory has one token: adding it again gives it the new one.
    func add(_ directory: Int32, token: WatchToken) throws(WatchFailure)

    /// Stops watching; a token that is not known is ignored. A drain may still name the token once: events that came before.
    func remove(_ token: WatchToken)

    /// Adds to `dirty` everything that happened before the call and was in no drain yet. Never blocks, and is finite while
    /// others go on writing: what comes after the call may be left for the next.
    func drain(into dirty: inout Dirty)

    /// Sleeps until a drain is likely to find something; false when `timeout` passes first (nil: never). May wake for nothing.
    func wait(timeout: Duration?) -> Bool

    var status: WatchStatus { get }
}

/// Figures of a watch for people.
package struct WatchStatus: Hashable, Sendable {
    package var kind: WatchKind
    /// Directories registered.
    package var directories: Int
    /// Bytes of this process, and of the kernel, for the registered directories; the kernel's is an estimate.
    package var ownBytes: Int
    package var kernelBytes: Int
    /// Events read since the start, repeated ones and those from outside the tree included.
    package var eventCount: Int
    /// Times that the kernel dropped events.
    package var overflowCount: Int
}

package enum WatchKind: String, Hashable, Sendable, CaseIterable {
    case fanotify
    case inotify
}
