/// What a `KnownTree` holds of a file or directory and of the name where it stands, in 64 bytes; handle and name lie beside it.
///
/// Most files have one name, so that the name is in the file's own record. Each further name (a hard link) is a record of its own, an alias.
struct KnownRecord {
    /// No record.
    static let none = UInt32.max

    struct Flags: OptionSet {
        let rawValue: UInt16
        static let used = Flags(rawValue: 1)
        /// It was added. A record that was not, a ghost, stands for a number that entries speak of, as what they mean or as where they are.
        static let known = Flags(rawValue: 2)
        static let directory = Flags(rawValue: 4)
        static let alias = Flags(rawValue: 8)
        /// Names are in it: `link` is the first of them.
        static let children = Flags(rawValue: 16)
        /// Its handle is not of the common form.
        static let oddHandle = Flags(rawValue: 32)
        static let extendedAttributes = Flags(rawValue: 64)
        // Digests, one of three, of a file whose bytes are logged up to its size: nothing is remembered of them; `link` is the last page's digest;
        // anything else, in a table of its own.
        static let unseen = Flags(rawValue: 128)
        static let tail = Flags(rawValue: 256)
        static let otherDigests = Flags(rawValue: 512)
        static let digests: Flags = [.unseen, .tail, .otherDigests]
    }

    /// In full: one beyond 2^32 is like any other.
    var number: UInt64 = 0
    var size: UInt64 = 0
    /// Nanoseconds, as `Instant`.
    var modified: Int64 = 0
    /// Of the other attributes.
    var fingerprint: UInt64 = 0
    /// The flags say what it is.
    var link: UInt64 = 0
    /// The record of the directory where the name is, and its neighbours there.
    var parent = Self.none
    var next = Self.none
    var previous = Self.none
    /// How many names were given to it since it was added.
    var names: Int32 = 0
    /// Where the name's bytes are; no length: it has no name.
    var nameStart: UInt16 = 0
    var nameLength: UInt8 = 0
    var kind: UInt8 = 0
    var flags: Flags = []

    /// Of a directory with names in it.
    var firstChild: UInt32 {
        get { flags.contains(.children) ? UInt32(truncatingIfNeeded: link) : Self.none }
        set {
            if newValue == Self.none { flags.remove(.children) } else { flags.insert(.children) }
            link = newValue == Self.none ? 0 : UInt64(newValue)
        }
    }

    // MARK: Of an alias

    // `number` is that of the file, too. The fields that it does not need as a name are its places in the list of the file's aliases.

    /// The file's own record.
    var target: UInt32 {
        get { UInt32(truncatingIfNeeded: size) }
        set { size = UInt64(newValue) }
    }
    var olderAlias: UInt32 {
        get { UInt32(truncatingIfNeeded: fingerprint) }
        set { fingerprint = UInt64(newValue) }
    }
    var newerAlias: UInt32 {
        get { UInt32(truncatingIfNeeded: link) }
        set { link = UInt64(newValue) }
    }
}
