/// Reads frames: checks, opens, decompresses. Keeps its contexts and memory; one for each thread.
///
/// Any bytes are allowed: whatever is not a frame of this object and place ends in a `FrameError`, and nothing is allocated
/// before lengths and checksum have been checked.
package final class FrameDecoder {
    private let scratch = Scratch()
    private let cipher = AESGCM()
    private let zstd = ZstdDecompressor()
    private let gzip = GzipDecompressor()

    package init() {}

    /// What the frame at the start of `bytes` says of itself, for walking and for sizing buffers. Plausible, not yet proved.
    ///
    /// Throws `truncated`, `tooLong` or `headerInvalid`.
    package static func header(of bytes: UnsafeRawBufferPointer) throws(FrameError) -> FrameHeader {
        try FrameHeader(parsing: bytes)
    }

    /// The content of a frame. `stored` is its header and body, exactly.
    package func decode(
        _ stored: UnsafeRawBufferPointer, role: FrameRole, offset: UInt64, sealer: FrameSealer
    ) throws(FrameError) -> [UInt8] {
        let header = try check(stored, role: role, offset: offset, sealer: sealer)
        var failure: FrameError?
        let plain = [UInt8](unsafeUninitializedCapacity: header.plainLength) { buffer, count in
            do throws(FrameError) {
                let target = UnsafeMutableRawBufferPointer(start: buffer.baseAddress, count: header.plainLength)
                try open(stored, header: header, offset: offset, sealer: sealer, into: target)
                count = header.plainLength
            } catch {
                failure = error
            }
        }
        if let failure { throw failure }
        return plain
    }

    /// Writes the content of a frame to the start of `target` and returns its length. `stored` is its header and body, exactly.
    ///
    /// Throws `lengthMismatch` where `target` is too small. After any failure the content of `target` is not to be used.
    package func decode(
        _ stored: UnsafeRawBufferPointer, role: FrameRole, offset: UInt64, sealer: FrameSealer,
        into target: UnsafeMutableRawBufferPointer
    ) throws(FrameError) -> Int {
        let header = try check(stored, role: role, offset: offset, sealer: sealer)
        guard target.count >= header.plainLength else { throw .lengthMismatch }
        try open(
            stored, header: header, offset: offset, sealer: sealer,
            into: UnsafeMutableRawBufferPointer(rebasing: target[..<header.plainLength]))
        return header.plainLength
    }

    /// Everything that can be known without opening. The checksum comes before role and key: damage is called damage.
    private func check(
        _ stored: UnsafeRawBufferPointer, role: FrameRole, offset: UInt64, sealer: FrameSealer
    ) throws(FrameError) -> FrameHeader {
        let header = try FrameHeader(parsing: stored)
        guard stored.count >= header.frameLength else { throw .truncated }
        guard stored.count == header.frameLength else { throw .lengthMismatch }
        let checksum = sealer.checksum(
            offset: offset, header: UnsafeRawBufferPointer(rebasing: stored[..<FrameHeader.checkedLength]),
            body: UnsafeRawBufferPointer(rebasing: stored[FrameHeader.length...]))
        guard stored.littleEndian32(at: FrameHeader.checkedLength) == checksum else { throw .checksumMismatch }
        guard header.role == role else { throw .wrongRole }
        guard header.isSealed == sealer.isSealing else { throw header.isSealed ? .keyMissing : .unexpectedPlain }
        return header
    }

    /// Opens and decompresses a frame that was checked, filling `target`.
    private func open(
        _ stored: UnsafeRawBufferPointer, header: FrameHeader, offset: UInt64, sealer: FrameSealer,
        into target: UnsafeMutableRawBufferPointer
    ) throws(FrameError) {
        var body = UnsafeRawBufferPointer(rebasing: stored[FrameHeader.length...])
        if let key = sealer.key {
            let checked = UnsafeRawBufferPointer(rebasing: stored[..<FrameHeader.checkedLength])
            let opened = header.method == .stored ? target : try scratch.bytes(header.compressedLength)
            try cipher.open(
                body, key: key, nonce: sealer.nonce(offset: offset),
                additional: sealer.additionalData(offset: offset, header: checked), into: opened)
            body = UnsafeRawBufferPointer(opened)
        }
        switch header.method {
        case .stored:
            // Opening has written it to its place.
            if sealer.key == nil { target.copyMemory(from: body) }
        case .zstd: try zstd.decompress(body, into: target)
        case .gzip: try gzip.decompress(body, into: target)
        }
    }
}
