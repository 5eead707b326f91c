package import AsofCore

/// What system calls take as a path or a name: text, bytes of any encoding, a `Name`, or a C string from a callback.
package protocol PathBytes {
    /// Runs `body` with the NUL-terminated bytes; nil where they hold a NUL themselves, which would cut the path short.
    func withCPath<R>(_ body: (UnsafePointer<CChar>) -> R) -> R?
}

extension String: PathBytes {
    package func withCPath<R>(_ body: (UnsafePointer<CChar>) -> R) -> R? {
        utf8.contains(0) ? nil : withCString(body)
    }
}

extension Array: PathBytes where Element == UInt8 {
    package func withCPath<R>(_ body: (UnsafePointer<CChar>) -> R) -> R? {
        guard !contains(0) else { return nil }
        return withUnsafeTemporaryAllocation(of: CChar.self, capacity: count + 1) { buffer in
            for index in indices { buffer.initializeElement(at: index, to: CChar(bitPattern: self[index])) }
            buffer.initializeElement(at: count, to: 0)
            return buffer.baseAddress.map { body(UnsafePointer($0)) }
        }
    }
}

extension Name: PathBytes {
    package func withCPath<R>(_ body: (UnsafePointer<CChar>) -> R) -> R? { bytes.withCPath(body) }
}

extension UnsafePointer: PathBytes where Pointee == CChar {
    package func withCPath<R>(_ body: (UnsafePointer<CChar>) -> R) -> R? { body(self) }
}
