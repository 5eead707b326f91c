internal import AsofCore
internal import AsofFormat
internal import AsofSystem
internal import CLinux
internal import Glibc

/// One file of the journal, mapped: a header of 64 bytes, then records. Used again under a new sequence number once it is not needed.
///
///     "ASOFJRN1" | sequence u64 | 0 … | CRC32C u32 of the 60 bytes before
final class JournalFile: Sendable {
    static let length = 8 << 20
    static let headerLength = 64
    private static let magic = Array("ASOFJRN1".utf8)

    let sequence: UInt64
    let path: String
    let mapping: SharedMapping
    let descriptor: SharedDescriptor

    var base: UnsafeMutableRawPointer { mapping.base }

    private init(sequence: UInt64, path: String, mapping: SharedMapping, descriptor: SharedDescriptor) {
        self.sequence = sequence
        self.path = path
        self.mapping = mapping
        self.descriptor = descriptor
    }

    static func name(_ sequence: UInt64) -> String {
        let digits = String(sequence)
        return "journal-" + String(repeating: "0", count: max(0, 12 - digits.count)) + digits
    }

    static func sequence(ofName name: String) -> UInt64? {
        name.hasPrefix("journal-") ? UInt64(name.dropFirst(8)) : nil
    }

    /// Makes a file with all its space allocated, so that appending does not fail for want of it.
    static func create(in folder: String, sequence: UInt64) throws(Errno) -> JournalFile {
        try create("\(folder)/\(name(sequence))", sequence: sequence, isPrefaulted: false)
    }

    /// A file made ahead: it gets its number when it is taken. `isPrefaulted`: it is settled, too, so that small records and
    /// syncs do not wait. That costs milliseconds of a core: a luxury for a log that is not behind.
    static func createSpare(in folder: String, number: Int, isPrefaulted: Bool) throws(Errno) -> JournalFile {
        try create("\(folder)/\(sparePrefix)\(number)", sequence: 0, isPrefaulted: isPrefaulted)
    }

    static let sparePrefix = "spare-"

    private static func create(_ path: String, sequence: UInt64, isPrefaulted: Bool) throws(Errno) -> JournalFile {
        let opened = try SystemCall.open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, mode: 0o600)
        do throws(Errno) {
            try SystemCall.allocate(opened.raw, offset: 0, length: UInt64(length))
            let descriptor = SharedDescriptor(opened)
            let mapping = try descriptor.withRaw { raw throws(Errno) in try SharedMapping(raw, length: length) }
            writeHeader(mapping.base, sequence: sequence)
            let file = JournalFile(sequence: sequence, path: path, mapping: mapping, descriptor: descriptor)
            if isPrefaulted { try file.settle() }
            return file
        } catch {
            try? SystemCall.unlink(path)
            throw error
        }
    }

    /// Makes the pages present, and the space on the disk written once: an fdatasync of a record then writes the record alone, where space that is
    /// only allocated costs a commit of the file system's own log each time.
    func settle() throws(Errno) {
        try mapping.prefault()
        try descriptor.withRaw { raw throws(Errno) in try SystemCall.syncData(raw) }
    }

    /// The same space under a new sequence number. The old content is void from the moment the header is written.
    func renumbered(in folder: String, sequence: UInt64) throws(Errno) -> JournalFile {
        let path = "\(folder)/\(Self.name(sequence))"
        try SystemCall.rename(at: AT_FDCWD, self.path, to: AT_FDCWD, path)
        Self.writeHeader(mapping.base, sequence: sequence)
        return JournalFile(sequence: sequence, path: path, mapping: mapping, descriptor: descriptor)
    }

    /// The same space as a spare. What it holds is void.
    func retired(in folder: String, number: Int) throws(Errno) -> JournalFile {
        let path = "\(folder)/\(Self.sparePrefix)\(number)"
        try SystemCall.rename(at: AT_FDCWD, self.path, to: AT_FDCWD, path)
        return JournalFile(sequence: 0, path: path, mapping: mapping, descriptor: descriptor)
    }

    /// Payload from here on goes in by a system call: it takes no page faults, of which a large piece would take one every 4 KiB.
    private static let writtenLength = 16 << 10

    /// Copies a record's body to `offset`.
    func fill(_ offset: Int, _ head: UnsafeRawBufferPointer, _ payload: UnsafeRawBufferPointer) throws(Errno) {
        if let start = head.baseAddress { (base + offset).copyMemory(from: start, byteCount: head.count) }
        if payload.count >= Self.writtenLength {
            try descriptor.withRaw { raw throws(Errno) in try SystemCall.writeFully(raw, at: UInt64(offset + head.count), payload) }
        } else if let start = payload.baseAddress {
            (base + offset + head.count).copyMemory(from: start, byteCount: payload.count)
        }
    }

    /// What the intent at `offset` carries.
    func payload(at offset: Int) throws(FormatError) -> UnsafeRawBufferPointer {
        guard let header = JournalRecord.header(base, offset: offset, limit: Self.length, sequence: sequence),
            header.kind == .intent || header.kind == .redo
        else { throw FormatError("no intent stands where one is named") }
        let body = UnsafeRawBufferPointer(start: base + offset + JournalRecord.headerLength, count: header.length - JournalRecord.headerLength)
        guard let start = JournalCodec.payloadStart(body, header.kind) else { throw FormatError("an intent is shorter than it says") }
        return UnsafeRawBufferPointer(rebasing: body[start...])
    }

    private static func writeHeader(_ base: UnsafeMutableRawPointer, sequence: UInt64) {
        var writer = ByteWriter(reserving: headerLength)
        writer.raw(magic)
        writer.fixed64(sequence)
        while writer.count < headerLength - 4 { writer.byte(0) }
        writer.fixed32(writer.bytes.withUnsafeBytes { asof_crc32c(0, $0.baseAddress, $0.count) })
        // No record follows yet: an old one's header must not be found where the first will stand.
        (base + headerLength).storeBytes(of: 0, as: UInt64.self)
        (base + headerLength + 8).storeBytes(of: 0, as: UInt64.self)
        writer.bytes.withUnsafeBytes { base.copyMemory(from: $0.baseAddress ?? UnsafeRawPointer(base), byteCount: $0.count) }
    }

    /// Opens a file that an earlier life left; nil where it is none (never finished, or damaged in its first page).
    static func open(in folder: String, sequence: UInt64) throws(Errno) -> JournalFile? {
        let path = "\(folder)/\(name(sequence))"
        let descriptor = SharedDescriptor(try SystemCall.open(path, O_RDWR | O_CLOEXEC))
        let status = try descriptor.withRaw { raw throws(Errno) in try SystemCall.status(raw) }
        guard status.attributes.size == UInt64(length) else { return nil }
        let mapping = try descriptor.withRaw { raw throws(Errno) in try SharedMapping(raw, length: length) }
        let bytes = Array(UnsafeRawBufferPointer(start: mapping.base, count: headerLength))
        var reader = ByteReader(bytes)
        let sum = bytes[0..<60].withUnsafeBytes { asof_crc32c(0, $0.baseAddress, $0.count) }
        guard (try? reader.bytes(8)) == magic, (try? reader.fixed64()) == sequence,
            bytes[60..<64].enumerated().reduce(UInt32(0), { $0 | UInt32($1.element) << UInt32($1.offset * 8) }) == sum
        else { return nil }
        return JournalFile(sequence: sequence, path: path, mapping: mapping, descriptor: descriptor)
    }
}
