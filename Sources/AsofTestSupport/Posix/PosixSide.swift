internal import AsofCore
internal import AsofSystem
internal import Glibc

/// One of the two directories, with its open descriptors: performs operations and says what came of them.
final class PosixSide {
    let root: String
    /// Why a descriptor is in a slot: what `compare` may do with it.
    private(set) var slots: [Int: OpenFile] = [:]

    final class OpenFile {
        let descriptor: OwnedDescriptor
        let isReadable: Bool

        init(_ descriptor: consuming OwnedDescriptor, isReadable: Bool) {
            self.descriptor = descriptor
            self.isReadable = isReadable
        }
    }

    init(root: String) { self.root = root }

    func perform(_ operation: PosixOperation) -> PosixOutcome {
        var outcome = PosixOutcome()
        do throws(Errno) {
            try perform(operation, &outcome)
        } catch {
            return PosixOutcome(error: error.rawValue)
        }
        return outcome
    }

    private func full(_ path: String) -> String { root + "/" + path }

    private func raw(_ slot: Int) throws(Errno) -> Int32 {
        guard let file = slots[slot] else { throw Errno(EBADF) }
        return file.descriptor.raw
    }

    private func perform(_ operation: PosixOperation, _ outcome: inout PosixOutcome) throws(Errno) {
        switch operation {
        case .open, .close, .write, .append, .read, .truncate, .allocate, .synchronize, .status, .mappedRead, .mappedWrite,
            .changeModeOpen, .setTimesOpen:
            try performOpen(operation, &outcome)
        default:
            try performNamed(operation, &outcome)
        }
    }

    private func performOpen(_ operation: PosixOperation, _ outcome: inout PosixOutcome) throws(Errno) {
        switch operation {
        case .open(let slot, let path, let flags, let mode):
            // O_NONBLOCK: a FIFO must not wait for its other end.
            let opened = try SystemCall.open(full(path), flags | O_NONBLOCK | O_CLOEXEC, mode: mode)
            slots[slot] = OpenFile(opened, isReadable: flags & O_ACCMODE != O_WRONLY)
        case .close(let slot):
            guard slots.removeValue(forKey: slot) != nil else { throw Errno(EBADF) }
        case .write(let slot, let offset, let length, let seed):
            let raw = try raw(slot)
            outcome.number = try Self.call(PosixRandom.bytes(length, seed: seed)) { pwrite(raw, $0, $1, Int(offset)) }
        case .append(let slot, let length, let seed):
            let raw = try raw(slot)
            outcome.number = try Self.call(PosixRandom.bytes(length, seed: seed)) { write(raw, $0, $1) }
            outcome.text = ["at \(lseek(raw, 0, SEEK_CUR))"]
        case .read(let slot, let offset, let length):
            outcome.bytes = try SystemCall.readFully(try raw(slot), at: offset, length: length)
        case .truncate(let slot, let size):
            try SystemCall.truncate(try raw(slot), to: size)
        case .allocate(let slot, let mode, let offset, let length):
            try SystemCall.allocate(try raw(slot), mode: mode, offset: offset, length: length)
        case .synchronize(let slot, let dataOnly):
            let raw = try raw(slot)
            if dataOnly { try SystemCall.syncData(raw) } else { try SystemCall.sync(raw) }
        case .status(let slot):
            outcome.text = try SystemCall.status(try raw(slot)).comparable
        case .mappedRead(let slot, let offset, let length):
            outcome.bytes = try mapped(slot, offset, length, PROT_READ) { Array($0) }
        case .mappedWrite(let slot, let offset, let length, let seed, let synchronizes):
            outcome.number = try mapped(slot, offset, length, PROT_READ | PROT_WRITE, synchronizes: synchronizes) { target in
                target.copyBytes(from: PosixRandom.bytes(target.count, seed: seed))
                return target.count
            }
        case .changeModeOpen(let slot, let mode):
            try SystemCall.changeMode(try raw(slot), mode)
        case .setTimesOpen(let slot, let modified):
            try SystemCall.setTimes(try raw(slot), accessed: .unchanged, modified: .instant(modified))
        default:
            throw Errno(ENOSYS)
        }
    }

    /// Runs `body` on a shared mapping of a range of the file, cut to its size: beyond it there is only SIGBUS.
    private func mapped<R>(
        _ slot: Int, _ offset: Int, _ length: Int, _ protection: Int32, synchronizes: Bool = false,
        _ body: (UnsafeMutableRawBufferPointer) -> R
    ) throws(Errno) -> R {
        let raw = try raw(slot)
        let size = Int(clamping: try SystemCall.status(raw).attributes.size)
        // A file of no bytes cannot be mapped: ask anyway, for the error of its kind.
        let address = mmap(nil, max(size, 1), protection, MAP_SHARED, raw, 0)
        guard let address, address != MAP_FAILED else { throw Errno(errno) }
        defer { munmap(address, max(size, 1)) }
        let start = min(offset, size)
        let range = UnsafeMutableRawBufferPointer(start: address + start, count: min(length, size - start))
        let result = body(range)
        if synchronizes, msync(address, max(size, 1), MS_SYNC) != 0 { throw Errno(errno) }
        return result
    }

    private static func call(_ bytes: [UInt8], _ body: (UnsafeRawPointer?, Int) -> Int) throws(Errno) -> Int {
        let count = bytes.withUnsafeBytes { body($0.baseAddress, $0.count) }
        if count < 0 { throw Errno(errno) }
        return count
    }

    private func performNamed(_ operation: PosixOperation, _ outcome: inout PosixOutcome) throws(Errno) {
        switch operation {
        case .truncatePath(let path, let size):
            if Glibc.truncate(full(path), Int(size)) != 0 { throw Errno(errno) }
        case .rename(let from, let to, let flags):
            try SystemCall.rename(
                at: AT_FDCWD, full(from), to: AT_FDCWD, full(to), flags: SystemCall.RenameFlags(rawValue: flags))
        case .link(let from, let to):
            try SystemCall.link(at: AT_FDCWD, full(from), to: AT_FDCWD, full(to))
        case .unlink(let path): try SystemCall.unlink(full(path))
        case .symbolicLink(let target, let path):
            try SystemCall.symbolicLink(target: target, at: AT_FDCWD, full(path))
        case .readLink(let path): outcome.bytes = try SystemCall.readLink(at: AT_FDCWD, full(path))
        case .statusPath(let path): outcome.text = try SystemCall.status(full(path), following: false).comparable
        case .changeMode(let path, let mode): try SystemCall.changeMode(at: AT_FDCWD, full(path), mode)
        case .changeOwner(let path, let owner, let group):
            try SystemCall.changeOwner(at: AT_FDCWD, full(path), owner: owner, group: group)
        case .setTimes(let path, let modified):
            let file = try SystemCall.open(full(path), SystemCall.O_PATH | O_NOFOLLOW | O_CLOEXEC)
            try SystemCall.setTimes(file.raw, accessed: .unchanged, modified: modified.map { .instant($0) } ?? .now)
        case .setExtended(let path, let name, let length, let seed, let flags):
            try withPath(path) { (file) throws(Errno) in
                try SystemCall.setExtendedAttribute(file, name, PosixRandom.bytes(length, seed: seed), flags: flags)
            }
        case .extended(let path, let name):
            outcome.bytes = try withPath(path) { (file) throws(Errno) in try SystemCall.extendedAttribute(file, name) }
        case .removeExtended(let path, let name):
            try withPath(path) { (file) throws(Errno) in try SystemCall.removeExtendedAttribute(file, name) }
        case .listExtended(let path):
            outcome.text = try withPath(path) { (file) throws(Errno) in
                try SystemCall.extendedAttributeNames(file).map { String(decoding: $0, as: UTF8.self) }.filter {
                    TreeSnapshot.isCompared(attribute: $0)
                }.sorted()
            }
        case .makeDirectory(let path, let mode): try SystemCall.makeDirectory(full(path), mode: mode)
        case .removeDirectory(let path): try SystemCall.removeDirectory(full(path))
        case .makeFIFO(let path, let mode):
            try SystemCall.makeNode(at: AT_FDCWD, full(path), mode: mode | 0o010000, device: 0)
        case .list(let path): outcome.text = try TreeSnapshot.names(in: full(path)).sorted()
        case .synchronizeDirectory(let path):
            let directory = try SystemCall.open(full(path), O_RDONLY | O_DIRECTORY | O_CLOEXEC)
            try SystemCall.sync(directory.raw)
        case .statistics:
            let directory = try SystemCall.open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
            let space = try SystemCall.fileSystemStatus(directory.raw)
            guard space.blockSize > 0, space.longestName == 255, space.availableBlocks <= space.blocks else { throw Errno(ERANGE) }
        default:
            throw Errno(ENOSYS)
        }
    }

    private func withPath<R>(_ path: String, _ body: (Int32) throws(Errno) -> R) throws(Errno) -> R {
        let file = try SystemCall.open(full(path), SystemCall.O_PATH | O_NOFOLLOW | O_CLOEXEC)
        return try body(file.raw)
    }

    /// What each open descriptor shows: also of files that have no name any more.
    func openFiles() -> [Int: PosixOutcome] {
        slots.mapValues { file in
            var outcome = PosixOutcome()
            do throws(Errno) {
                let status = try SystemCall.status(file.descriptor.raw)
                outcome.text = status.comparable
                if file.isReadable, status.attributes.isRegular {
                    outcome.bytes = try SystemCall.readFully(
                        file.descriptor.raw, at: 0, length: Int(clamping: status.attributes.size))
                }
            } catch {
                outcome.error = error.rawValue
            }
            return outcome
        }
    }
}
