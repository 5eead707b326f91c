package import AsofCore
internal import AsofSystem

/// A store in memory, for tests.
package final class MemoryStore: ObjectStore {
    package let description: String

    private struct Object {
        var bytes: [UInt8]
        var version: UInt64
        var modified: Instant
    }

    private struct State {
        var objects: [String: Object] = [:]
        var changes: UInt64 = 0

        mutating func put(_ name: String, _ bytes: [UInt8], at time: Instant) -> ObjectVersion {
            changes += 1
            objects[name] = Object(bytes: bytes, version: changes, modified: time)
            return ObjectVersion(token: String(changes))
        }
    }

    private let state = Lock(State())
    private let now: @Sendable () -> Instant

    /// `now` is the store's clock: the times that `list` says.
    package init(_ description: String = "memory", now: @escaping @Sendable () -> Instant = { SystemClock.now() }) {
        self.description = description
        self.now = now
    }

    package func get(_ name: String) throws(AsofError) -> StoredObject? {
        try StoreName.check(name)
        return state.withLock { state in
            state.objects[name].map { StoredObject(bytes: $0.bytes, version: ObjectVersion(token: String($0.version))) }
        }
    }

    package func get(
        _ name: String, at offset: UInt64, into buffer: UnsafeMutableRawBufferPointer
    ) throws(AsofError) {
        try StoreName.check(name)
        guard let bytes = state.withLock({ $0.objects[name]?.bytes }) else {
            throw AsofError(.damaged, "\(description)/\(name) is missing")
        }
        guard let start = Int(exactly: offset), start <= bytes.count, buffer.count <= bytes.count - start else {
            throw AsofError(
                .damaged, "\(description)/\(name) is too short: \(buffer.count) bytes wanted at \(offset), it has \(bytes.count)")
        }
        bytes.withUnsafeBytes { source in
            buffer.copyMemory(from: UnsafeRawBufferPointer(rebasing: source[start..<start + buffer.count]))
        }
    }

    package func size(_ name: String) throws(AsofError) -> UInt64? {
        try StoreName.check(name)
        return state.withLock { $0.objects[name].map { UInt64($0.bytes.count) } }
    }

    package func put(_ name: String, _ bytes: [UInt8]) throws(AsofError) {
        try StoreName.check(name)
        state.withLock { _ = $0.put(name, bytes, at: now()) }
    }

    package func put(_ name: String, fromDescriptor descriptor: Int32) throws(AsofError) {
        try StoreName.check(name)
        let bytes: [UInt8]
        do throws(Errno) {
            bytes = try SystemCall.readAll(descriptor)
        } catch {
            throw AsofError(error, "cannot read the file that is to be \(name)")
        }
        try put(name, bytes)
    }

    package func putIfAbsent(_ name: String, _ bytes: [UInt8]) throws(AsofError) -> Bool {
        try StoreName.check(name)
        return state.withLock { state in
            guard state.objects[name] == nil else { return false }
            _ = state.put(name, bytes, at: now())
            return true
        }
    }

    package func put(
        _ name: String, _ bytes: [UInt8], ifUnchanged version: ObjectVersion
    ) throws(AsofError) -> ObjectVersion? {
        try StoreName.check(name)
        return state.withLock { state in
            guard let current = state.objects[name], String(current.version) == version.token else { return nil }
            return state.put(name, bytes, at: now())
        }
    }

    package func delete(_ name: String) throws(AsofError) {
        try StoreName.check(name)
        state.withLock { $0.objects[name] = nil }
    }

    package func list(prefix: String) throws(AsofError) -> [ListedObject] {
        try StoreName.checkPrefix(prefix)
        let found = state.withLock { state in
            state.objects.filter { $0.key.hasPrefix(prefix) }.map {
                ListedObject(name: $0.key, size: UInt64($0.value.bytes.count), modified: $0.value.modified)
            }
        }
        return found.sorted { $0.name.utf8.lexicographicallyPrecedes($1.name.utf8) }
    }

    package func firstEntry() throws(AsofError) -> String? { try list(prefix: "").first?.name }
}
