/// Where frames belong and, in an encrypted repository, what seals them. One per object; threads may share it.
///
/// The key is HKDF-SHA256 of the data key, salted with the object's id, so each object has its own; the nonce is the frame's
/// offset. So **one id and offset must never get two different contents**: a writer that cuts a torn tail off and goes on must not
/// reuse offsets under the same id once anybody could have seen the tail, but start an object with a new id.
package final class FrameSealer: Sendable {
    package let object: ObjectID
    package let repository: ObjectID

    /// Nil: frames are plain.
    let key: SecretBytes?
    /// The checksum so far, before the offset.
    private let objectChecksum: UInt32

    package init(object: ObjectID, repository: ObjectID, dataKey: DataKey?) {
        self.object = object
        self.repository = repository
        key = dataKey.map { SecretBytes($0.derived(purpose: "asof object v1", salt: object.bytes)) }
        objectChecksum = object.withUnsafeBytes { crc32c($0) }
    }

    /// Frames of this object are encrypted.
    package var isSealing: Bool { key != nil }

    /// What stands at offset 12 of a frame's header.
    func checksum(offset: UInt64, header: UnsafeRawBufferPointer, body: UnsafeRawBufferPointer) -> UInt32 {
        var checksum = withUnsafeBytes(of: offset.littleEndian) { crc32c($0, seed: objectChecksum) }
        checksum = crc32c(header, seed: checksum)
        return crc32c(body, seed: checksum)
    }

    func nonce(offset: UInt64) -> [UInt8] {
        var nonce: [UInt8] = []
        nonce.reserveCapacity(AESGCM.nonceLength)
        nonce.appendLittleEndian(offset)
        nonce.appendLittleEndian(UInt32(0))
        return nonce
    }

    /// What a sealed frame is bound to: repository, object, offset and the header before its checksum.
    func additionalData(offset: UInt64, header: UnsafeRawBufferPointer) -> [UInt8] {
        var data: [UInt8] = []
        data.reserveCapacity(2 * ObjectID.length + 8 + FrameHeader.checkedLength)
        repository.withUnsafeBytes { data.append(contentsOf: $0) }
        object.withUnsafeBytes { data.append(contentsOf: $0) }
        data.appendLittleEndian(offset)
        data.append(contentsOf: header)
        return data
    }
}
