internal import AsofCore
internal import AsofSystem
internal import AsofWeaviate
internal import Glibc

/// One file or directory, opened and looked at: its attributes, and those of its bytes that must be read at once.
struct Examination {
    var number: InodeNumber
    var descriptor: SharedDescriptor
    var attributes: Attributes
    var kind: DataFileKind
    /// How its bytes come about. What grew under a temporary name is taken for growing until it was checked: its header is written last.
    var mode: WriteMode
    /// What was read, by where it begins, in ascending order.
    var pieces: [(offset: UInt64, bytes: [UInt8])] = []

    /// How much may be read of all files while the server stands still.
    struct Allowance {
        /// Bytes of what was appended to one file.
        var appended: UInt64 = 64 << 10
        /// Bytes of a file that may change anywhere.
        var inPlace: UInt64 = 16 << 20
        /// Bytes altogether.
        var all: UInt64 = 64 << 20

        static let none = Allowance(appended: 0, inPlace: 0, all: 0)
    }

    /// Nil: it is gone. `logged`: what the log has of its bytes. `isUnchecked`: they were not read whole since it was made.
    init?(
        _ number: InodeNumber, _ surveyor: Surveyor, logged: ContentDigests, isUnchecked: Bool, _ allowance: inout Allowance
    ) throws(AsofError) {
        guard let node = surveyor.tree[number],
            let descriptor = try surveyor.open(number, node.isDirectory ? SystemCall.O_PATH : O_RDONLY | O_NONBLOCK)
        else { return nil }
        self.number = number
        self.descriptor = descriptor
        attributes = try Surveyor.status(of: descriptor).attributes
        kind = node.kind
        mode = node.kind.mode
        guard attributes.isRegular else { return }
        if let path = surveyor.tree.path(of: number) { kind = DataFileKind.of(path: path) }
        let grew = isUnchecked || node.kind.mode == .growingTemporary
        mode = grew && kind.mode == .writtenOnce || grew && kind.mode == .appendOnly ? .growingTemporary : kind.mode
        try read(logged, &allowance)
    }

    /// Reads what cannot be read later: all that may change in place as soon as the server goes on, and the end of what is appended to, which a
    /// writer may cut off and write anew. What the allowance has no room for stays for later.
    private mutating func read(_ logged: ContentDigests, _ allowance: inout Allowance) throws(AsofError) {
        let size = attributes.size
        switch mode {
        case .inPlace, .unknown: try read(0..<size, upTo: allowance.inPlace, &allowance)
        case .growingTemporary, .appendWithPatchedHeader:
            let page = UInt64(ContentDigests.pageLength)
            try read(0..<min(size, page), upTo: allowance.inPlace, &allowance)
            let start = size < logged.length ? page : max(logged.tailStart, page)
            if start < size { try read(start..<size, upTo: allowance.appended, &allowance) }
        case .appendOnly, .writtenOnce:
            try read((size < logged.length ? 0 : logged.tailStart)..<size, upTo: allowance.appended, &allowance)
        }
    }

    private mutating func read(_ range: Range<UInt64>, upTo limit: UInt64, _ allowance: inout Allowance) throws(AsofError) {
        let length = range.upperBound - range.lowerBound
        guard length <= min(limit, allowance.all) else { return }
        pieces.append((range.lowerBound, try bytes(at: range.lowerBound, length: Int(length))))
        allowance.all -= length
    }

    /// What was read of `range`, when all of it was; nil otherwise.
    func piece(_ range: Range<UInt64>) -> [UInt8]? {
        pieces.first { $0.offset == range.lowerBound && UInt64($0.bytes.count) == range.upperBound - range.lowerBound }?.bytes
    }

    /// The bytes of `range`, as they were read or as they are now.
    func bytes(_ range: Range<UInt64>) throws(AsofError) -> [UInt8] {
        if let piece = piece(range) { return piece }
        return try bytes(at: range.lowerBound, length: Int(range.upperBound - range.lowerBound))
    }

    /// Smaller holes are read as the zeros that they are.
    static let holeLength: UInt64 = 1 << 20

    /// The end of a large hole at `offset`, at most `end`, and the begin of a page unless it is `end`; nil: no such hole is there.
    static func hole(_ descriptor: SharedDescriptor, at offset: UInt64, upTo end: UInt64) -> UInt64? {
        guard end - offset >= holeLength else { return nil }
        let data = min(SystemCall.nextData(descriptor.unmanaged, from: offset) ?? end, end)
        let page = UInt64(ContentDigests.pageLength)
        let border = data == end ? end : data / page * page
        return border > offset && border - offset >= holeLength ? border : nil
    }

    /// Fewer than `length` where the file ends.
    func bytes(at offset: UInt64, length: Int) throws(AsofError) -> [UInt8] {
        do throws(Errno) { return try SystemCall.readFully(descriptor.unmanaged, at: offset, length: length) } catch {
            throw AsofError(error, "cannot read a file of the directory")
        }
    }
}
