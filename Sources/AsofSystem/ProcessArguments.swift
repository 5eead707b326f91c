internal import CLinux

/// The words that this process was started with. `CommandLine.arguments` has none in a chroot or a service without /proc.
package enum ProcessArguments {
    /// Without the program's name.
    package static var afterName: [String] {
        // The words stay where they are for the process's life, and nobody writes to them.
        (1..<max(1, asof_argument_count())).compactMap { asof_argument($0).map { String(cString: $0) } }
    }
}
