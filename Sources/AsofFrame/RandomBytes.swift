/// Bytes from the kernel's generator, fit for keys.
package func randomBytes(_ count: Int) -> [UInt8] {
    var generator = SystemRandomNumberGenerator()
    var bytes: [UInt8] = []
    bytes.reserveCapacity(count)
    while bytes.count < count {
        bytes.appendLittleEndian(generator.next() as UInt64)
    }
    bytes.removeLast(bytes.count - count)
    return bytes
}
