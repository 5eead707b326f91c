internal import CLinux

/// The words that this process was started with. `CommandLine.arguments` has none in a chroot or a service without /proc.
package enum ProcessArguments {
    /// Without the program's name.
    package static var afterName: [String] {
        // The words stay where they are for the process's life, and nobody writes to them.
        (1..<max(1, asof_argument_count())).compactMap { asof_argument($0).map { String(cString: $0) } }
    }

    /// The first that is no text in UTF-8, with what is wrong replaced: as text it would mean something else.
    package static var unreadable: String? {
        (1..<max(1, asof_argument_count())).lazy.compactMap { asof_argument($0) }.first { String(validatingCString: $0) == nil }.map { String(cString: $0) }
    }
}
