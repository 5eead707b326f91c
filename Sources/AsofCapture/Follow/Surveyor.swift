internal import AsofCore
internal import AsofRepository
internal import AsofSystem
internal import AsofWeaviate
internal import Glibc

/// Looks at what may have changed: takes names into the tree at once, and notes whose attributes and bytes are to be looked at.
///
/// Whatever is looked at while the server runs only saves time: an event that comes later makes it stale again, and it is looked at once
/// more while the server stands still.
final class Surveyor {
    private let root: SharedDescriptor
    private let watch: any TreeWatch
    var tree: KnownTree
    /// A name came, was written through and went, and nothing tells of which file: it may have been one that has other names.
    private(set) var hasLostTrack = false

    init(root: SharedDescriptor, watch: any TreeWatch, tree: consuming KnownTree) {
        self.root = root
        self.watch = watch
        self.tree = tree
    }

    static func token(_ directory: InodeNumber) -> WatchToken { WatchToken(directory.rawValue) }

    // MARK: Names

    /// Takes in everything that `dirty` names.
    func look(at dirty: Dirty, _ tick: inout Tick) throws(AsofError) {
        for (token, part) in dirty.directories {
            let directory = InodeNumber(token.rawValue)
            guard tree.contains(directory) else { continue }
            tick.touch(directory)
            for name in part.unlinked where part.touched.contains(name) && tree.target(of: name, in: directory) == nil { hasLostTrack = true }
            if !part.names.isEmpty { try look(at: part.names, in: directory, &tick) }
            for name in part.touched.subtracting(part.names) {
                // A name that nobody knows yet was made while its directory was looked through, or is gone again.
                if let number = tree.target(of: name, in: directory) { tick.touch(number) } else { try look(at: [name], in: directory, &tick) }
            }
        }
        for handle in dirty.files { if let number = tree.number(of: handle) { tick.touch(number) } }
    }

    private func look(at names: Set<Name>, in directory: InodeNumber, _ tick: inout Tick) throws(AsofError) {
        guard let descriptor = try open(directory) else {
            // The directory is gone, and with it what was in it.
            for name in names { set(Tick.Place(parent: directory, name: name), nil, &tick) }
            return
        }
        for name in names { try look(at: name, in: directory, descriptor, &tick) }
    }

    /// Looks again at names that mean something vanished. `isLast`: what still does then means nothing.
    func lookAgain(at vanished: Set<InodeNumber>, isLast: Bool, _ tick: inout Tick) throws(AsofError) {
        // What is new has its names from this tick alone.
        for place in tick.before.keys where tree.target(of: place.name, in: place.parent).map(vanished.contains) == true {
            if isLast { set(place, nil, &tick) } else { try look(at: [place.name], in: place.parent, &tick) }
        }
    }

    /// What a restore in place keeps beside the directory's own entries.
    static func isLeftOut(_ name: Name, in directory: InodeNumber) -> Bool { directory == .root && HiddenName.isLeftOut(name) }

    /// Looks at a name; a directory that nobody knew is watched and looked through.
    private func look(at name: Name, in parent: InodeNumber, _ directory: SharedDescriptor, _ tick: inout Tick) throws(AsofError) {
        guard !Self.isLeftOut(name, in: parent) else { return }
        let place = Tick.Place(parent: parent, name: name)
        // What the name meant may have lost one of its names.
        if let before = tree.target(of: name, in: parent) { tick.touch(before) }
        let descriptor: SharedDescriptor
        do throws(Errno) {
            descriptor = SharedDescriptor(try SystemCall.open(at: directory.unmanaged, name, SystemCall.O_PATH | O_NOFOLLOW))
        } catch {
            guard error.rawValue == ENOENT || error.rawValue == ENOTDIR else { throw AsofError(error, "cannot look at \(name)") }
            return set(place, nil, &tick)
        }
        let handle = try Self.handle(of: descriptor)
        if let number = tree.number(of: handle) {
            set(place, number, &tick)
            tick.touch(number)
            return
        }
        let status = try Self.status(of: descriptor)
        try Self.refuseOtherFileSystem(status, root, name)
        let attributes = status.attributes
        let number = tree.nextNumber()
        tree.add(number, handle, attributes, .unknown)
        tick.born.insert(number)
        tick.touch(number)
        set(place, number, &tick)
        if attributes.isDirectory { try lookThrough(number, descriptor, &tick) }
    }

    private func set(_ place: Tick.Place, _ target: InodeNumber?, _ tick: inout Tick) {
        let before = tree.setEntry(place.parent, place.name, target)
        guard before != target else { return }
        if tick.before[place] == nil { tick.before[place] = .some(before) }
        guard let target, tree[target]?.isDirectory == true, !tick.born.contains(target) else { return }
        noteRested(below: target, &tick)
    }

    /// A directory has another name: files in it may be of another kind now.
    private func noteRested(below directory: InodeNumber, _ tick: inout Tick) {
        var stack = [directory]
        while let next = stack.popLast() {
            for (_, child) in tree.entries(of: next) {
                guard let node = tree[child] else { continue }
                if node.isDirectory { stack.append(child) } else if node.kind.mode == .growingTemporary { tick.touch(child) }
            }
        }
    }

    /// Watches a directory, then looks at all that is in it.
    func lookThrough(_ directory: InodeNumber, _ descriptor: SharedDescriptor, _ tick: inout Tick) throws(AsofError) {
        _ = try Self.watch(descriptor, directory, watch)
        var names = Set(try Self.names(in: descriptor))
        for (name, _) in tree.entries(of: directory) { names.insert(name) }
        for name in names { try look(at: name, in: directory, descriptor, &tick) }
    }

    /// False: it is gone.
    static func watch(_ descriptor: SharedDescriptor, _ directory: InodeNumber, _ watch: any TreeWatch) throws(AsofError) -> Bool {
        do throws(WatchFailure) {
            try watch.add(descriptor.unmanaged, token: token(directory))
            return true
        } catch {
            if case .system(let code) = error, code.rawValue == ENOENT { return false }
            throw error.asofError
        }
    }

    /// What is in a directory; nothing, when it is gone.
    static func names(in directory: SharedDescriptor) throws(AsofError) -> [Name] {
        var names: [Name] = []
        do throws(Errno) {
            let reader = DirectoryReader(SharedDescriptor(try SystemCall.reopen(directory.unmanaged, O_RDONLY | O_DIRECTORY)))
            while let entry = try reader.next() { names.append(entry.name) }
        } catch {
            guard error.rawValue == ENOENT else { throw AsofError(error, "cannot list a directory") }
        }
        return names
    }

    /// Events were lost: looks through all directories that are known. `body` is called after each: what was seen by then may be looked at.
    func lookThroughAll(_ tick: inout Tick, _ body: (inout Tick) throws(AsofError) -> Void) throws(AsofError) {
        hasLostTrack = false
        var stack: [InodeNumber] = [.root]
        var seen: Set<InodeNumber> = []
        while let directory = stack.popLast() {
            guard seen.insert(directory).inserted else { continue }
            tick.touch(directory)
            if let descriptor = try open(directory) {
                try lookThrough(directory, descriptor, &tick)
            } else {
                for (name, _) in tree.entries(of: directory) { set(Tick.Place(parent: directory, name: name), nil, &tick) }
            }
            for (_, child) in tree.entries(of: directory) where tree[child]?.isDirectory == true { stack.append(child) }
            try body(&tick)
        }
    }

    /// They are not in the tree any more: nothing more is to be heard of them.
    func forget(directories: [InodeNumber]) { for directory in directories { watch.remove(Self.token(directory)) } }

    // MARK: Opening

    /// A directory that is known, opened; nil: it is gone.
    private func open(_ directory: InodeNumber) throws(AsofError) -> SharedDescriptor? {
        if directory == .root { return root }
        return try open(directory, SystemCall.O_PATH)
    }

    /// What is known under a number, opened; nil: it is gone.
    func open(_ number: InodeNumber, _ flags: Int32) throws(AsofError) -> SharedDescriptor? {
        guard let handle = tree.handle(of: number) else { return nil }
        var attempts = 0
        while true {
            do throws(Errno) { return SharedDescriptor(try handle.open(root.unmanaged, flags)) } catch {
                switch error.rawValue {
                case ESTALE: return nil
                // Neither a file nor a directory: looked at without opening it.
                case ELOOP, ENXIO: return try open(number, SystemCall.O_PATH)
                // The kernel says ENOMEM, too, when what it connects a directory through is being moved.
                case ENOMEM where attempts < 100: attempts += 1
                default: throw Self.cannotOpen(error)
                }
            }
        }
    }

    static func cannotOpen(_ error: Errno) -> AsofError {
        let what = "cannot open a file by its handle"
        guard error.rawValue == EPERM || error.rawValue == EACCES else { return AsofError(error, what) }
        return AsofError(error, what, hint: "following needs CAP_DAC_READ_SEARCH: run as root, or give asof that capability")
    }

    /// What lies on another file system has no identity among ours, and its changes are not heard of.
    static func refuseOtherFileSystem(_ status: FileStatus, _ root: SharedDescriptor, _ name: Name) throws(AsofError) {
        guard try status.device != Self.status(of: root).device else { return }
        throw AsofError(
            .failure, "another file system is mounted on \(name) in the directory: it cannot be followed together with it",
            hint: "unmount it, or follow the two directories on their own")
    }

    static func status(of descriptor: SharedDescriptor) throws(AsofError) -> FileStatus {
        do throws(Errno) { return try SystemCall.status(descriptor.unmanaged) } catch { throw AsofError(error, "cannot look at a file") }
    }

    static func handle(of descriptor: SharedDescriptor) throws(AsofError) -> StableHandle {
        do throws(Errno) { return try StableHandle(of: descriptor.unmanaged) } catch {
            throw AsofError(
                error, "the file system cannot name its files for good",
                hint: "following needs file handles (name_to_handle_at), as ext4 and xfs have them")
        }
    }

    static func extendedAttributes(of number: InodeNumber, _ descriptor: SharedDescriptor) -> [Name: [UInt8]] {
        var found: [Name: [UInt8]] = [:]
        for name in (try? SystemCall.extendedAttributeNames(descriptor.unmanaged)) ?? [] {
            let name = Name(unchecked: name)
            guard !OwnAttributes.have(name, of: number) else { continue }
            if let value = try? SystemCall.extendedAttribute(descriptor.unmanaged, name) { found[name] = value }
        }
        return found
    }
}
