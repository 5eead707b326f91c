internal import AsofWeaviate

/// Kinds of files as single bytes: the table of data files has some forty of them.
struct KindTable {
    private var kinds: [DataFileKind] = []
    private var indices: [DataFileKind: UInt8] = [:]

    subscript(index: UInt8) -> DataFileKind { kinds[Int(index)] }

    mutating func index(of kind: DataFileKind) -> UInt8 {
        if let index = indices[kind] { return index }
        let index = UInt8(kinds.count)
        kinds.append(kind)
        indices[kind] = index
        return index
    }
}
