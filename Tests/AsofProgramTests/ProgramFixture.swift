import AsofSystem
import AsofTestSupport
import Glibc
import Testing

/// The program as a user runs it: the real binary, a repository, a state directory and a directory to capture, all below one folder.
final class ProgramFixture {
    struct Outcome {
        /// 128 + the signal, as a shell says it.
        var code: Int32
        var output: String
        var error: String
        var lines: [Substring] { output.split(separator: "\n") }
    }

    let folder: TemporaryDirectory
    private var captures: [ChildProcess] = []
    /// `NAME=value`, for every command from now on.
    var variables: [String] = []

    /// Following needs file handles, and so root.
    static let canFollow = Mounted.isPossible

    init() throws {
        folder = try TemporaryDirectory("program")
        try SystemCall.makeDirectory(folder.path("data"), mode: 0o755)
        try SystemCall.makeDirectory(folder.path("mnt"), mode: 0o755)
    }

    deinit {
        for capture in captures {
            try? capture.kill(SIGKILL)
            _ = try? capture.wait()
        }
        umount2(folder.path("mnt"), Int32(MNT_DETACH))
    }

    static let program: String = {
        let own = (try? SystemCall.readLink(at: AT_FDCWD, "/proc/self/exe")).map { String(decoding: $0, as: UTF8.self) } ?? ""
        return own.split(separator: "/").dropLast().map { "/" + $0 }.joined() + "/asof"
    }()

    private func environment(_ repository: String?) -> [String] {
        ["PATH=/usr/bin:/bin:/usr/sbin:/sbin", "ASOF_STATE_DIR=\(folder.path("state"))"] + (repository.map { ["ASOF_REPO=\($0)"] } ?? []) + variables
    }

    /// Runs a command to its end. `repository`: nil names none.
    func run(_ arguments: String..., repository: String? = "repo") throws -> Outcome {
        try run(arguments, environment(repository.map { folder.path($0) }))
    }

    /// Runs a command that kills itself at a crash point.
    func crash(_ point: String, _ arguments: String...) throws -> Outcome {
        try run(arguments, environment(folder.path("repo")) + ["ASOF_CRASH_AT=\(point)"])
    }

    func run(_ arguments: [String], in directory: String = ".") throws -> Outcome {
        try run(arguments, environment(folder.path("repo")), in: directory)
    }

    private func run(_ arguments: [String], _ environment: [String], in directory: String = ".") throws -> Outcome {
        try run(Self.program, ["asof"] + arguments, environment, in: directory)
    }

    /// Runs a script of `sh` in the test's folder, for which the program is `asof`. Tests of modes in this process set its umask, which children inherit.
    func shell(_ script: String) throws -> Outcome {
        let folder = Self.program.split(separator: "/").dropLast().map { "/" + $0 }.joined()
        return try run("/bin/sh", ["sh", "-c", "umask 022\n" + script], environment(self.folder.path("repo")).dropFirst() + ["PATH=\(folder):/usr/bin:/bin:/usr/sbin:/sbin"])
    }

    private func run(_ executable: String, _ words: [String], _ environment: [String], in directory: String = ".") throws -> Outcome {
        let (output, error) = (try file("output"), try file("error"))
        let child = try ChildProcess.spawn(
            executable, arguments: words, environment: environment,
            output: .descriptor(output.unmanaged), error: .descriptor(error.unmanaged), directory: folder.path(directory))
        captures.append(child)
        let outcome = try #require(try child.wait(timeout: .seconds(60)), "\(words) does not end")
        captures.removeLast()
        let code: Int32 = switch outcome { case .exited(let code): code case .signalled(let signal): 128 + signal }
        return Outcome(code: code, output: try text(output), error: try text(error))
    }

    /// Starts a capture and waits for its ready line.
    @discardableResult
    func start(_ arguments: String...) throws -> Capture { try start(arguments, until: "ready") }

    /// Starts a command and waits until its output holds `word`.
    func start(_ arguments: [String], until word: String) throws -> Capture {
        let (output, error) = (try file("output-\(captures.count)"), try file("error-\(captures.count)"))
        let child = try ChildProcess.spawn(
            Self.program, arguments: ["asof"] + arguments, environment: environment(folder.path("repo")),
            output: .descriptor(output.unmanaged), error: .descriptor(error.unmanaged), directory: folder.path)
        captures.append(child)
        let capture = Capture(child: child, output: { try self.text(output) }, error: { try self.text(error) })
        let isReady = eventually { (try? capture.output().contains(word)) ?? false }
        let said = try capture.error()
        try #require(isReady, "\(said)")
        return capture
    }

    struct Capture {
        let child: ChildProcess
        let output: () throws -> String
        let error: () throws -> String

        /// Ends it in order.
        func stop() throws {
            try child.kill(SIGTERM)
            #expect(try child.wait() == .exited(0))
        }
    }

    /// A repository, and one state in it of a directory that holds `names`. `key`: of a repository that is there, and its key's file.
    func capture(_ names: String..., key: String? = nil) throws {
        if key == nil { #expect(try run("init", "-q").code == 0) }
        for name in names { try folder.write("data/\(name)", Array(name.utf8)) }
        let taken = try run(["follow", "--once", "--no-stop", "data"] + (key.map { ["--key-file", $0] } ?? []))
        try #require(taken.code == 0, "\(taken.error)")
    }

    /// Another state, with one file more.
    func capture(again name: String) throws {
        try folder.write("data/\(name)", Array(name.utf8))
        let taken = try run("follow", "--once", "--no-stop", "data")
        try #require(taken.code == 0, "\(taken.error)")
    }

    /// The newest state's number.
    func newest() throws -> String {
        let window = try run("window", "--json").output
        let number = window.rest(after: "\"to\":{\"lsn\":").prefix { $0.isNumber }
        return String(number)
    }

    private func file(_ name: String) throws -> SharedDescriptor {
        SharedDescriptor(try SystemCall.open(folder.path(name), O_RDWR | O_CREAT | O_TRUNC | O_APPEND, mode: 0o600))
    }

    private func text(_ file: SharedDescriptor) throws -> String {
        String(decoding: try SystemCall.readAll(path: "/proc/self/fd/\(file.unmanaged)", limit: 1 << 24), as: UTF8.self)
    }
}

extension String {
    /// What follows the first occurrence of a text; nothing, where there is none.
    func rest(after text: String) -> Substring {
        var rest = self[...]
        while !rest.isEmpty, !rest.hasPrefix(text) { rest = rest.dropFirst() }
        return rest.dropFirst(text.count)
    }
}
