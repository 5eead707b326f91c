internal import AsofCore
internal import AsofFrame

/// Turns sorted entries into page frames, appended to `output`.
struct IndexWriter {
    private var builder = IndexPageBuilder()
    private(set) var pages: [PageReference] = []
    private(set) var inodes = InodeSet()
    private var last: IndexKey?

    /// `offset`: where `output`'s first byte will stand in the object.
    mutating func append(
        _ key: IndexKey, _ value: IndexValue, encoder: FrameEncoder, sealer: FrameSealer, offset: UInt64, into output: inout [UInt8]
    ) throws(FrameError) {
        builder.append(key, value)
        inodes.append(key.inode)
        if builder.count >= FrameBounds.pageTarget {
            try finishPage(encoder: encoder, sealer: sealer, offset: offset, into: &output)
        }
    }

    mutating func finishPage(
        encoder: FrameEncoder, sealer: FrameSealer, offset: UInt64, into output: inout [UInt8]
    ) throws(FrameError) {
        guard let (key, bytes) = builder.take() else { return }
        let start = output.count
        try encoder.encode(bytes, role: .indexPage, offset: offset + UInt64(start), sealer: sealer, into: &output)
        pages.append(PageReference(firstKey: key, offset: offset + UInt64(start), length: UInt32(output.count - start)))
    }
}

extension FrameEncoder {
    func encode(
        _ plain: [UInt8], role: FrameRole, offset: UInt64, sealer: FrameSealer, into output: inout [UInt8]
    ) throws(FrameError) {
        // `withUnsafeBytes` does not carry typed throws through every overload; a Result does.
        var staged = output
        output = []
        let result = plain.withUnsafeBytes { (bytes) -> Result<Void, FrameError> in
            do throws(FrameError) {
                try encode(bytes, role: role, offset: offset, sealer: sealer, into: &staged)
                return .success(())
            } catch {
                return .failure(error)
            }
        }
        output = staged
        try result.get()
    }
}
