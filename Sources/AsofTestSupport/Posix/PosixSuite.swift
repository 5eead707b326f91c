internal import AsofCore
internal import Glibc

/// Does the same things to two directories and compares: one on the file system under test, one on the local disk.
///
/// The subject may be any empty directory. Calls block: run it on a thread of its own.
package enum PosixSuite {
    /// Performs `operations` random operations on both, comparing the result of each and, every hundred, the whole trees and all
    /// open files. Throws `PosixFailure` with the seed, the operation's index and the last operations.
    package static func run(subject: String, model: String, seed: UInt64, operations: Int) throws {
        // A FIFO without a reader answers a write with a signal that would end the test.
        var mask = sigset_t()
        var previous = sigset_t()
        sigemptyset(&mask)
        sigaddset(&mask, SIGPIPE)
        pthread_sigmask(SIG_BLOCK, &mask, &previous)
        defer {
            var now = timespec()
            _ = sigtimedwait(&mask, nil, &now)
            pthread_sigmask(SIG_SETMASK, &previous, nil)
        }
        var generator = PosixGenerator(seed: seed)
        let left = PosixSide(root: subject)
        let right = PosixSide(root: model)
        var history: [String] = []

        func fail(_ index: Int, _ what: String) -> PosixFailure {
            PosixFailure(
                "seed \(seed), operation \(index): \(what)\nlast operations:\n  " + history.joined(separator: "\n  "))
        }
        func compare(_ index: Int) throws {
            let trees: (subject: TreeSnapshot, model: TreeSnapshot)
            do throws(Errno) {
                trees = (try TreeSnapshot(of: subject), try TreeSnapshot(of: model))
            } catch {
                throw fail(index, "reading the trees: \(error.label)")
            }
            let differences = trees.subject.differences(from: trees.model)
            if !differences.isEmpty { throw fail(index, "the trees differ\n  " + differences.joined(separator: "\n  ")) }
            generator.remember(trees.model.entries.keys.filter { !$0.isEmpty }.sorted())
            let (found, expected) = (left.openFiles(), right.openFiles())
            for slot in expected.keys.sorted() where found[slot] != expected[slot] {
                let shown = [found[slot], expected[slot]].map { $0?.description ?? "none" }
                throw fail(index, "open file \(slot): \(shown[0]), expected \(shown[1])")
            }
        }

        for index in 0..<operations {
            let operation = generator.next()
            let expected = right.perform(operation)
            history.append("\(index) \(operation) → \(expected)")
            if history.count > 40 { history.removeFirst() }
            let found = left.perform(operation)
            guard found == expected else { throw fail(index, "\(operation): \(found), expected \(expected)") }
            if expected.isSuccess, let made = operation.madeName { generator.remember(made) }
            generator.openSlots = right.slots.keys.sorted()
            if index % 100 == 99 { try compare(index) }
        }
        try compare(operations)
    }
}

extension PosixOperation {
    /// The name that exists after the operation's success.
    fileprivate var madeName: String? {
        switch self {
        case .open(_, let path, let flags, _): flags & O_CREAT != 0 ? path : nil
        case .rename(_, let path, _), .link(_, let path), .symbolicLink(_, let path), .makeDirectory(let path, _),
            .makeFIFO(let path, _):
            path
        default: nil
        }
    }
}
