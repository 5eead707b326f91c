package import AsofCore

/// Where objects live: a directory, memory, later object stores. Names are relative paths with `/` between ASCII components.
///
/// Every call is safe to repeat. A failure is an `AsofError`: `.unavailable` where trying again may help, `.failure` where it
/// will not. When `put` returns the object is durable and whole; nobody ever sees a part of it. A call that failed may have had
/// its effect. Calls come from many threads.
///
/// What a name may be: `StoreName`. Objects whose names end in `.json` may be replaced by several writers; all others are
/// immutable while anybody reads them, so stores may cache what they know of them.
package protocol ObjectStore: AnyObject, Sendable {
    /// How messages call it: `/backups/weaviate`, `s3://bucket/prefix`.
    var description: String { get }

    /// The whole object; nil where there is none.
    func get(_ name: String) throws(AsofError) -> StoredObject?
    /// Exactly `length` bytes from `offset`, into `buffer` (whose count is the length); an object that is missing or too short
    /// is `.damaged`.
    func get(_ name: String, at offset: UInt64, into buffer: UnsafeMutableRawBufferPointer) throws(AsofError)
    /// Bytes of the object; nil where there is none.
    func size(_ name: String) throws(AsofError) -> UInt64?

    /// Creates or replaces the object.
    func put(_ name: String, _ bytes: [UInt8]) throws(AsofError)
    /// Creates or replaces the object with the whole content of an open file.
    func put(_ name: String, fromDescriptor descriptor: Int32) throws(AsofError)
    /// Creates the object; false where one of that name is there already. Of several callers at once exactly one gets true.
    func putIfAbsent(_ name: String, _ bytes: [UInt8]) throws(AsofError) -> Bool
    /// Replaces the object if it is still the one that `version` was read from; nil: somebody was faster. Else its new version.
    func put(_ name: String, _ bytes: [UInt8], ifUnchanged version: ObjectVersion) throws(AsofError) -> ObjectVersion?

    /// Deleting what is not there is no error.
    func delete(_ name: String) throws(AsofError)
    /// The names that start with `prefix` (which may end within a component; empty: all), sorted by their bytes.
    /// Never on a view's way of reading.
    func list(prefix: String) throws(AsofError) -> [ListedObject]
    /// Something that lies where the store does, an object or not; nil: nothing but what store and file system keep there themselves.
    func firstEntry() throws(AsofError) -> String?
}

/// What compare-and-swap compares: an ETag, a content hash. Opaque.
package struct ObjectVersion: Hashable, Sendable {
    package var token: String
    package init(token: String) { self.token = token }
}

package struct StoredObject: Hashable, Sendable {
    package var bytes: [UInt8]
    package var version: ObjectVersion
    package init(bytes: [UInt8], version: ObjectVersion) {
        self.bytes = bytes
        self.version = version
    }
}

package struct ListedObject: Hashable, Sendable {
    package var name: String
    package var size: UInt64
    package var modified: Instant
    package init(name: String, size: UInt64, modified: Instant) {
        self.name = name
        self.size = size
        self.modified = modified
    }
}
