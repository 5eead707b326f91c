package import AsofCore
internal import Glibc

/// A pipe by which a child learns of our end, however it comes: nobody else holds the writing end, and nothing is ever written.
package final class Lifeline: Sendable {
    /// The descriptor's number in the child.
    package static let descriptor: Int32 = 4

    private let ours: SharedDescriptor
    private let childs: SharedDescriptor

    package init() throws(Errno) {
        var ends: [Int32] = [-1, -1]
        _ = try SystemCall.checked { pipe(&ends) }
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        (childs, ours) = (SharedDescriptor(taking: ends[0]), SharedDescriptor(taking: ends[1]))
    }

    /// What the child is given.
    package var inheritance: ChildProcess.Inheritance { ChildProcess.Inheritance(source: childs.unmanaged, target: Self.descriptor) }

    /// In the child: returns when the parent has ended.
    package static func waitUntilCut() { _ = try? SystemCall.waitReadable(descriptor, until: nil) }

    /// In the child: whether the parent has ended.
    package static var isCut: Bool { (try? SystemCall.waitReadable(descriptor, until: .now)) ?? true }
}
