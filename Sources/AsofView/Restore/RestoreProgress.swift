package import AsofCore
internal import Synchronization

/// How far a restore is; read by whoever shows it, and where it is told to end.
package final class RestoreProgress: Sendable {
    private let writtenBytes = Atomic<UInt64>(0)
    private let finishedFiles = Atomic<UInt64>(0)
    private let partlyDressed = Atomic<UInt64>(0)
    private let stopped = Atomic<Bool>(false)
    private let exchanging = Atomic<Bool>(false)

    package init() {}

    /// In this run.
    package var bytes: UInt64 { writtenBytes.load(ordering: .relaxed) }
    package var files: UInt64 { finishedFiles.load(ordering: .relaxed) }

    /// What lacks its owner, or an extended attribute that only root may set.
    package var incomplete: UInt64 { partlyDressed.load(ordering: .relaxed) }

    /// Asks for an end at the next opportunity.
    package func stop() { stopped.store(true, ordering: .relaxed) }
    package var isStopped: Bool { stopped.load(ordering: .relaxed) }

    /// From now on until it has ended there is neither the old state nor the new one.
    package func beginExchange() { exchanging.store(true, ordering: .relaxed) }
    package var isExchanging: Bool { exchanging.load(ordering: .relaxed) }

    package func wrote(_ count: Int) { writtenBytes.wrappingAdd(UInt64(count), ordering: .relaxed) }
    /// Throws where the end was asked for.
    package func checkStop() throws(AsofError) {
        guard !isStopped else { throw AsofError(.interrupted, "interrupted", hint: "the same command goes on where this one ended") }
    }

    func lackedPermission() { partlyDressed.wrappingAdd(1, ordering: .relaxed) }
    package func finished() { finishedFiles.wrappingAdd(1, ordering: .relaxed) }
}
