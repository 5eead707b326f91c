/// The name of an object or a repository: 16 random bytes. What binds a frame to where it belongs.
package struct ObjectID: Hashable, Sendable, CustomStringConvertible {
    package static let length = 16

    // Loaded as they lie in memory: the memory of an ObjectID is its 16 bytes, whatever the machine's order.
    private let first: UInt64
    private let second: UInt64

    private init(first: UInt64, second: UInt64) {
        self.first = first
        self.second = second
    }

    package static func random() -> ObjectID {
        var generator = SystemRandomNumberGenerator()
        return ObjectID(first: generator.next(), second: generator.next())
    }

    /// Nil unless there are exactly 16 bytes.
    package init?(bytes: some Collection<UInt8>) {
        let copy = Array(bytes)
        guard copy.count == ObjectID.length else { return nil }
        self = copy.withUnsafeBytes {
            ObjectID(first: $0.loadUnaligned(as: UInt64.self), second: $0.loadUnaligned(fromByteOffset: 8, as: UInt64.self))
        }
    }

    /// Nil unless there are exactly 32 hexadecimal digits.
    package init?(hex: String) {
        guard let bytes = Hex.decode(hex.utf8) else { return nil }
        self.init(bytes: bytes)
    }

    package var bytes: [UInt8] { withUnsafeBytes { Array($0) } }

    /// 32 lower-case hexadecimal digits.
    package var description: String { Hex.encode(bytes) }

    func withUnsafeBytes<Result>(_ body: (UnsafeRawBufferPointer) -> Result) -> Result {
        Swift.withUnsafeBytes(of: self) { body($0) }
    }
}
