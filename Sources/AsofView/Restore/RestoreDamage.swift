internal import AsofCore
internal import AsofSystem

/// The files of a batch that cannot be restored, and why the first of them cannot.
final class RestoreDamage: Sendable {
    private struct State {
        var reason: AsofError?
        var files: Set<UInt32> = []
    }

    private let state = Lock(State())

    func note(_ error: AsofError, _ files: [UInt32]) {
        state.withLock { state in
            if state.reason == nil { state.reason = error }
            state.files.formUnion(files)
        }
    }

    func holds(_ file: UInt32) -> Bool { state.withLock { $0.files.contains(file) } }

    var reason: AsofError? { state.withLock { $0.reason } }
    var files: [UInt32] { state.withLock { $0.files.sorted() } }
}
