package import AsofCore
package import AsofFormat
internal import AsofFrame
internal import AsofStore

/// Reads an object in stretches: many neighbouring payload frames by one request, each decoded once, past every cache. For one thread.
package final class StretchReader {
    /// Bytes that one request asks for at most.
    package static let longest = 4 << 20
    /// Bytes that a payload frame takes as stored at most.
    package static let longestFrame = FrameLimits.payloadLengthMax + FrameHeader.length + FrameLimits.tagLength

    private let repository: Repository
    private let decoder = FrameDecoder()
    private let stored = UnsafeMutableRawBufferPointer.allocate(byteCount: StretchReader.longest, alignment: 4096)
    private let plain = UnsafeMutableRawBufferPointer.allocate(byteCount: FrameLimits.payloadLengthMax, alignment: 4096)
    private var object: ObjectReference?
    private var sealer: FrameSealer?
    /// What `stored` holds, as places in the object.
    private var held: Range<UInt64> = 0..<0

    package init(_ repository: Repository) { self.repository = repository }

    deinit {
        stored.deallocate()
        plain.deallocate()
    }

    /// Fetches a stretch of at most `longest` bytes.
    package func fetch(_ object: ObjectReference, _ stretch: Range<UInt64>) throws(AsofError) {
        held = 0..<0
        if self.object != object || sealer == nil {
            self.object = object
            sealer = repository.sealer(for: object.id)
        }
        guard stretch.count <= stored.count else { throw damage(object, "a stretch at \(stretch.lowerBound) cannot be \(stretch.count) bytes long") }
        try repository.store.get(ObjectName.of(object), at: stretch.lowerBound, into: UnsafeMutableRawBufferPointer(rebasing: stored[..<stretch.count]))
        held = stretch
    }

    /// The content of a frame in the stretch that was fetched last; valid until the next call.
    package func frame(at offset: UInt64, length: UInt32) throws(AsofError) -> UnsafeRawBufferPointer {
        guard let object, let sealer, offset >= held.lowerBound, offset < held.upperBound, UInt64(length) <= held.upperBound - offset else {
            throw AsofError(.failure, "a frame at \(offset) was asked for that is not in the stretch")
        }
        let start = Int(offset - held.lowerBound)
        do throws(FrameError) {
            let count = try decoder.decode(
                UnsafeRawBufferPointer(rebasing: stored[start..<start + Int(length)]), role: .payload, offset: offset, sealer: sealer, into: plain)
            return UnsafeRawBufferPointer(rebasing: plain[..<count])
        } catch {
            throw damage(object, "the frame at \(offset) (\(length) bytes): \(error.description)")
        }
    }

    private func damage(_ object: ObjectReference, _ what: String) -> AsofError {
        AsofError(
            .damaged, "\(repository.store.description)/\(ObjectName.of(object)) is damaged: \(what)",
            hint: "restore this object from a copy of the repository")
    }
}
