internal import AsofCore
internal import AsofRepository
internal import AsofSystem

/// Bytes of the log that a comparison asks for, and that are damaged in the repository. The directory has them: they are logged anew, as if they
/// differed, and what is captured from then on needs the damaged ones no more.
final class UnreadableLog: Sendable {
    private let isTold = Lock<Bool>(false)
    private let report: @Sendable (String) -> Void

    init(_ report: @escaping @Sendable (String) -> Void) { self.report = report }

    /// Runs `read`; false: what it reads is damaged. The operator is told of the first.
    func passing(_ read: () throws(AsofError) -> Void) throws(AsofError) -> Bool {
        do throws(AsofError) {
            try read()
            return true
        } catch {
            guard error.code == .damaged else { throw error }
            let isFirst = isTold.withLock { told in
                defer { told = true }
                return !told
            }
            if isFirst { report("\(error.message). What the directory has in its place is logged anew; states before need that object as it was") }
            return false
        }
    }

    /// What to do where names or attributes cannot be read, without which nothing can be compared.
    static func way(_ error: AsofError) -> String {
        error.code == .damaged ? "until that object is restored from a copy of the repository, capture into another timeline: --timeline NAME (of a directory that was restored first: setfattr -x \(DirectoryOrigin.attribute) DIR)" : "see to that, and start it again"
    }
}
