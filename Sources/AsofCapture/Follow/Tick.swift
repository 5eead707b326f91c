internal import AsofCore
internal import AsofRepository
internal import AsofSystem
internal import AsofWeaviate

/// The transaction that a tick makes, while it is gathered: which names may mean something else than in the log, and which files and
/// directories may have changed. It outlives a tick that was missed.
struct Tick {
    struct Place: Hashable {
        var parent: InodeNumber
        var name: Name
    }

    /// A file or directory as it was when it was looked at last.
    struct Sighting {
        /// Nil: something happened to it, and it was not looked at yet.
        var attributes: Attributes?
        var kind = DataFileKind.unknown
        var extendedAttributes: [Name: [UInt8]] = [:]
        /// Of a symbolic link.
        var target: [UInt8]?
        /// Its modification time when its bytes were read last in this tick; nil: they were not.
        var readAt: Instant?
    }

    /// What the log has under each name that may mean something else now.
    var before: [Place: InodeNumber?] = [:]
    var sightings: [InodeNumber: Sighting] = [:]
    /// To be looked at: something happened since they were looked at last.
    var stale: Set<InodeNumber> = []
    /// To be looked at once more in the stop, whatever happens until then.
    var doubtful: Set<InodeNumber> = []
    /// The log does not have them.
    var born: Set<InodeNumber> = []
    /// Of those: they were gone again before they were looked at.
    var vanished: Set<InodeNumber> = []
    /// Files whose bytes were written anew while we looked: until the tick is over, nothing of them is trusted for being as it was.
    var rewritten: Set<InodeNumber> = []
    /// Files that are to be read whole once they rest, for what their kind promises may have been broken while they were made: since when
    /// the log would then be wrong.
    var unchecked: [InodeNumber: CutPoint] = [:]
    /// Files that grow under a temporary name, and before which state: only its end and its first page are looked at until it rests.
    var growing: [InodeNumber: CutPoint] = [:]
    /// Which files may be torn, for people.
    var torn: [String] = []

    var isEmpty: Bool { before.isEmpty && sightings.isEmpty }

    /// Something happened to it.
    mutating func touch(_ number: InodeNumber) { stale.insert(number) }

    /// What is logged now is no longer new; what is still to be checked stays.
    mutating func clear() {
        before.removeAll(keepingCapacity: true)
        sightings.removeAll(keepingCapacity: true)
        born.removeAll(keepingCapacity: true)
        vanished.removeAll(keepingCapacity: true)
        rewritten.removeAll(keepingCapacity: true)
        doubtful.removeAll(keepingCapacity: true)
        torn.removeAll()
    }
}
