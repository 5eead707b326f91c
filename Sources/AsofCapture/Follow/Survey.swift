internal import AsofCore
internal import AsofSystem
internal import AsofWeaviate
internal import Glibc

/// What a tick has looked at: the names that may mean something else, and the files and directories that may have changed.
struct Survey {
    struct Place: Hashable {
        var parent: InodeNumber
        var name: Name
    }

    /// A file or directory as it was when it was looked at last.
    struct Sighting {
        /// O_PATH: keeps the inode, whatever becomes of its names.
        var descriptor: SharedDescriptor
        var handle: StableHandle
        var status: FileStatus
        var kind: DataFileKind
        var isNew: Bool
        /// Content that was read while nothing ran, and where it begins: all that may change in place, and the end of what is appended to,
        /// which a writer may cut off and write anew.
        var content: [UInt8]?
        var contentStart: UInt64 = 0
        /// For reading; opened ahead of the stop where it will be needed.
        var readable: SharedDescriptor?
        /// Nil: they were not read, since nothing says that they changed.
        var extendedAttributes: [Name: [UInt8]]?
    }

    /// Nil: the name is gone.
    var names: [Place: InodeNumber?] = [:]
    var sightings: [InodeNumber: Sighting] = [:]
    /// Where each was seen last.
    var places: [InodeNumber: Place] = [:]
    /// New ones by handle: the tree does not know them yet.
    var newNumbers: [StableHandle: InodeNumber] = [:]

    var isEmpty: Bool { names.isEmpty && sightings.isEmpty }
}

/// Looks at what may have changed. Between two looks at the same name the newer one counts, so looking before the server is stopped only
/// saves time: what is looked at again inside the stop is exact.
final class Surveyor {
    private let root: SharedDescriptor
    private let watch: any TreeWatch
    var tree: KnownTree

    init(root: SharedDescriptor, watch: any TreeWatch, tree: KnownTree) {
        self.root = root
        self.watch = watch
        self.tree = tree
    }

    static func token(_ directory: InodeNumber) -> WatchToken { WatchToken(UInt32(truncatingIfNeeded: directory.rawValue)) }

    /// Looks at everything that `dirty` names.
    func look(at dirty: Dirty, _ survey: inout Survey) throws(AsofError) {
        for (token, part) in dirty.directories {
            let directory = InodeNumber(UInt64(token.rawValue))
            guard tree[directory] != nil || survey.sightings[directory] != nil else { continue }
            let descriptor = try open(directory, survey)
            if let descriptor { try see(directory, descriptor, &survey) }
            for name in part.names {
                guard let descriptor else {
                    // The directory is gone, and with it what was in it.
                    survey.names[Survey.Place(parent: directory, name: name)] = .some(nil)
                    continue
                }
                try look(at: name, in: directory, descriptor, &survey)
            }
        }
        for handle in dirty.files {
            if let number = tree.number(of: handle) ?? survey.newNumbers[handle] { try seeByHandle(number, &survey) }
        }
    }

    /// Looks at a file that is known, whatever its names; one that is gone is left alone.
    private func seeByHandle(_ number: InodeNumber, _ survey: inout Survey) throws(AsofError) {
        if let held = survey.sightings[number]?.descriptor { return try see(number, held, &survey) }
        guard let handle = tree[number]?.handle, let descriptor = try open(handle) else { return }
        try see(number, descriptor, &survey)
    }

    /// The file of a handle; nil: it is gone.
    private func open(_ handle: StableHandle) throws(AsofError) -> SharedDescriptor? {
        var attempts = 0
        while true {
            do throws(Errno) { return SharedDescriptor(try handle.open(root.unmanaged, SystemCall.O_PATH)) } catch {
                if error.rawValue == ESTALE { return nil }
                attempts += 1
                // The kernel says ENOMEM, too, when what it connects a directory through is being moved.
                guard error.rawValue == ENOMEM, attempts < 100 else {
                    throw AsofError(
                        error, "cannot open a file by its handle",
                        hint: "following needs CAP_DAC_READ_SEARCH: run as root, or give asof that capability")
                }
            }
        }
    }

    /// Looks at a name; a directory that nobody knew is watched and looked through.
    func look(at name: Name, in parent: InodeNumber, _ directory: SharedDescriptor, _ survey: inout Survey) throws(AsofError) {
        let place = Survey.Place(parent: parent, name: name)
        // What the name meant has lost one, and may have others.
        if let before = tree.entries[parent]?[name] { try seeByHandle(before, &survey) }
        let descriptor: SharedDescriptor
        do throws(Errno) {
            descriptor = SharedDescriptor(try SystemCall.open(at: directory.unmanaged, name, SystemCall.O_PATH | O_NOFOLLOW))
        } catch {
            guard error.rawValue == ENOENT || error.rawValue == ENOTDIR else { throw AsofError(error, "cannot look at \(name)") }
            survey.names[place] = .some(nil)
            return
        }
        let handle = try handle(of: descriptor)
        if let number = tree.number(of: handle) ?? survey.newNumbers[handle] {
            survey.names[place] = number
            survey.places[number] = place
            return try see(number, descriptor, &survey)
        }
        let number = tree.nextNumber()
        survey.newNumbers[handle] = number
        survey.names[place] = number
        survey.places[number] = place
        try see(number, descriptor, &survey, handle: handle)
        if survey.sightings[number]?.status.attributes.isDirectory == true { try lookThrough(number, descriptor, &survey) }
    }

    /// Watches a directory, then looks at all that is in it.
    func lookThrough(_ directory: InodeNumber, _ descriptor: SharedDescriptor, _ survey: inout Survey) throws(AsofError) {
        do throws(WatchFailure) { try watch.add(descriptor.unmanaged, token: Self.token(directory)) } catch { throw error.asofError }
        var names: Set<Name> = []
        do throws(Errno) {
            let reader = DirectoryReader(SharedDescriptor(try SystemCall.reopen(descriptor.unmanaged, O_RDONLY | O_DIRECTORY)))
            while let entry = try reader.next() { names.insert(entry.name) }
        } catch {
            throw AsofError(error, "cannot list a directory")
        }
        if let known = tree.entries[directory] { names.formUnion(known.keys) }
        for name in names { try look(at: name, in: directory, descriptor, &survey) }
    }

    private func see(
        _ number: InodeNumber, _ descriptor: SharedDescriptor, _ survey: inout Survey, handle: StableHandle? = nil
    ) throws(AsofError) {
        let status: FileStatus
        do throws(Errno) { status = try SystemCall.status(descriptor.unmanaged) } catch { throw AsofError(error, "cannot look at a file") }
        if survey.sightings[number] != nil {
            survey.sightings[number]?.status = status
        } else if let node = tree[number] {
            survey.sightings[number] = Survey.Sighting(
                descriptor: descriptor, handle: node.handle, status: status, kind: node.kind, isNew: false)
        } else if let handle {
            survey.sightings[number] = Survey.Sighting(
                descriptor: descriptor, handle: handle, status: status, kind: .unknown, isNew: true)
        }
    }

    /// Opens what will be read, so that the stop need not wait for that.
    func openAhead(_ survey: inout Survey) {
        for (number, sighting) in survey.sightings where sighting.readable == nil && sighting.status.attributes.isRegular {
            guard sighting.isNew || tree[number]?.attributes.modified != sighting.status.attributes.modified else { continue }
            guard let opened = try? SystemCall.reopen(sighting.descriptor.unmanaged, O_RDONLY) else { continue }
            survey.sightings[number]?.readable = SharedDescriptor(opened)
        }
    }

    /// Everything that was looked at, once more.
    func lookAgain(_ survey: inout Survey) throws(AsofError) {
        for (number, sighting) in survey.sightings { try see(number, sighting.descriptor, &survey) }
    }

    /// Reads what may change in place as soon as the server goes on. What a file is its name says, as it is now.
    func readInPlace(_ survey: inout Survey, unknownLengthMax: UInt64) throws(AsofError) {
        for (number, sighting) in survey.sightings {
            if sighting.isNew || tree[number]?.attributes.changed != sighting.status.attributes.changed {
                survey.sightings[number]?.extendedAttributes = Self.extendedAttributes(of: sighting.descriptor)
            }
            guard sighting.status.attributes.isRegular else { continue }
            let kind = path(of: number, survey).map { DataFileKind.of(path: $0) } ?? sighting.kind
            survey.sightings[number]?.kind = kind
            survey.sightings[number]?.content = nil
            let size = sighting.status.attributes.size
            var range: Range<UInt64>
            switch kind.mode {
            case .inPlace: range = 0..<size
            case .unknown where size > unknownLengthMax: continue
            case .unknown: range = 0..<size
            case .growingTemporary, .appendWithPatchedHeader: range = 0..<min(size, UInt64(ContentDigests.pageLength))
            case .appendOnly, .writtenOnce:
                let old = tree[number]
                guard old == nil || old?.attributes.size != size || old?.attributes.modified != sighting.status.attributes.modified else { continue }
                // Of the same size: written anew.
                let start = old.map { $0.attributes.size < size ? $0.digests?.tailStart ?? 0 : 0 } ?? 0
                guard size - start <= Self.appendedLengthMax else { continue }
                range = start..<size
            }
            survey.sightings[number]?.contentStart = range.lowerBound
            survey.sightings[number]?.content = try TickPlan.read(sighting, at: range.lowerBound, length: range.count)
        }
    }

    /// What was appended since the last tick is read within the stop up to this; more comes after it, up to the size seen.
    private static let appendedLengthMax: UInt64 = 64 << 10

    static func extendedAttributes(of descriptor: SharedDescriptor) -> [Name: [UInt8]] {
        var found: [Name: [UInt8]] = [:]
        for name in (try? SystemCall.extendedAttributeNames(descriptor.unmanaged)) ?? [] {
            let name = Name(unchecked: name)
            if let value = try? SystemCall.extendedAttribute(descriptor.unmanaged, name) { found[name] = value }
        }
        return found
    }

    private func handle(of descriptor: SharedDescriptor) throws(AsofError) -> StableHandle {
        do throws(Errno) { return try StableHandle(of: descriptor.unmanaged) } catch {
            throw AsofError(error, "the file system cannot name its files for good", hint: "following needs file handles (name_to_handle_at), as ext4 and xfs have them")
        }
    }

    /// Where something is by what the survey and the tree say.
    private func path(of number: InodeNumber, _ survey: Survey) -> [Name]? {
        var path: [Name] = []
        var current = number
        while current != .root {
            guard path.count < 4096 else { return nil }
            if let place = survey.places[current], survey.names[place] == .some(current) {
                path.append(place.name)
                current = place.parent
            } else if let node = tree[current] {
                path.append(node.name)
                current = node.parent
            } else {
                return nil
            }
        }
        return path.reversed()
    }

    /// A directory that is known, opened; nil: it is gone.
    func open(_ directory: InodeNumber, _ survey: Survey) throws(AsofError) -> SharedDescriptor? {
        if directory == .root { return root }
        if let held = survey.sightings[directory]?.descriptor { return held }
        guard let node = tree[directory] else { return nil }
        return try open(node.handle)
    }
}
