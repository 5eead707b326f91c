/// Makes frames: compresses, seals, adds the checksum. Keeps its contexts and memory; one for each thread.
package final class FrameEncoder {
    private enum Compressor {
        case none
        case zstd(ZstdCompressor)
        case gzip(GzipCompressor)
    }

    private let compressor: Compressor
    private let scratch = Scratch()
    private let cipher = AESGCM()

    package init(compression: Compression) {
        switch compression.method {
        case .stored: compressor = .none
        case .zstd: compressor = .zstd(ZstdCompressor(level: compression.level))
        case .gzip: compressor = .gzip(GzipCompressor(level: compression.level))
        }
    }

    /// Appends a frame that holds `plain` to `output`. `offset` is its place in the object: it reads nowhere else.
    ///
    /// Throws `tooLong` where `plain` is longer than its role allows, or `libraryFailure`; `output` is as it was then.
    package func encode(
        _ plain: UnsafeRawBufferPointer, role: FrameRole, offset: UInt64, sealer: FrameSealer, into output: inout [UInt8]
    ) throws(FrameError) {
        guard plain.count <= FrameLimits.plainLengthMax(for: role) else { throw .tooLong }
        var method = FrameMethod.stored
        var body = plain
        if let (used, compressed) = try compress(plain) {
            method = used
            body = compressed
        }
        let header = FrameHeader(
            compressedLength: body.count, plainLength: plain.count, method: method, role: role, isSealed: sealer.isSealing)
        var headerBytes = header.checkedBytes
        if let key = sealer.key {
            // A compressed body lies at the start of the scratch memory already and is sealed in place.
            let target = try scratch.bytes(header.storedLength)
            try cipher.seal(
                body, key: key, nonce: sealer.nonce(offset: offset),
                additional: headerBytes.withUnsafeBytes { sealer.additionalData(offset: offset, header: $0) }, into: target)
            body = UnsafeRawBufferPointer(target)
        }
        headerBytes.appendLittleEndian(headerBytes.withUnsafeBytes { sealer.checksum(offset: offset, header: $0, body: body) })
        output.append(contentsOf: headerBytes)
        output.append(contentsOf: body)
    }

    /// The shorter form, in scratch memory with room for a tag behind it; nil where there is none.
    private func compress(_ plain: UnsafeRawBufferPointer) throws(FrameError) -> (FrameMethod, UnsafeRawBufferPointer)? {
        // With room for less than the content, a compressor gives up as soon as it cannot win.
        guard plain.count > 1, case let room = plain.count - 1 else { return nil }
        let method: FrameMethod
        let count: Int?
        let memory: UnsafeMutableRawBufferPointer
        switch compressor {
        case .none: return nil
        case .zstd(let zstd):
            memory = try scratch.bytes(room + FrameLimits.tagLength)
            method = .zstd
            count = try zstd.compress(plain, into: UnsafeMutableRawBufferPointer(rebasing: memory[..<room]))
        case .gzip(let gzip):
            memory = try scratch.bytes(room + FrameLimits.tagLength)
            method = .gzip
            count = try gzip.compress(plain, into: UnsafeMutableRawBufferPointer(rebasing: memory[..<room]))
        }
        return count.map { (method, UnsafeRawBufferPointer(rebasing: memory[..<$0])) }
    }
}
