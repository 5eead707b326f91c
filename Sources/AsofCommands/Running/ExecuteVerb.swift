internal import AsofCommandLine
internal import AsofCore
internal import AsofSystem
internal import Glibc

/// The hidden verb that becomes the command. Ends as a shell does: 127 where there is no such command, 126 where it cannot be run.
enum ExecuteVerb {
    static func run(_ invocation: Invocation) -> Int32 {
        guard let name = invocation.rest.first else { return 127 }
        // Asked for again by nobody after this: whoever ends the keeper ends the command.
        if let parent = invocation.count("parent"), (try? ChildProcess.dieWithParent(Int32(clamping: parent))) == nil { return 137 }
        if invocation.flag("drop-capabilities") { try? Namespaces.dropCapabilities() }
        SignalWaiter.heedFailedWrites()
        var arguments = invocation.rest.map { strdup($0) } + [nil]
        execvp(name, &arguments)
        let error = Errno(errno)
        Console.note("cannot run \(name): \(error.text)")
        return error.rawValue == ENOENT ? 127 : 126
    }
}
