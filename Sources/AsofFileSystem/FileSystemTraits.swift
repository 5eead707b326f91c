/// A file system that gives some names a new meaning by itself, such as the root of a directory of time (`latest`, `10m-ago`).
///
/// The kernel asks again for such nodes each time: their names and attributes are cached for no time at all, nor is the list of,
/// or a missing name in, a directory that is volatile itself.
package protocol VolatileNames: AsofFileSystem {
    /// Called for every reply that names a node: keep it to a comparison.
    func isVolatile(_ node: NodeID) -> Bool
}

/// A file system whose calls need no handle: every call finds all it needs by the node's number.
///
/// The kernel then sends no open, close or opendir at all, which is a third of the requests when many small files are read. Calls
/// get the handle 0. `open`, `openDirectory`, `close` and `closeDirectory` must still work: a kernel may be too old.
/// For read-only file systems only: nothing keeps an unlinked file's data while it is open.
package protocol StatelessOpens: AsofFileSystem {}
