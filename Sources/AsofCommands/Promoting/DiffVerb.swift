internal import AsofCommandLine
internal import AsofCore
internal import AsofOverlay

/// `asof diff`: what was changed in a mount.
enum DiffVerb {
    static func run(_ invocation: Invocation) throws(AsofError) {
        let mounted = try MountedOverlay(invocation)
        for found in try mounted.contents().differences(from: mounted.view) {
            if invocation.flag("json") { try Console.json(found) } else { Console.line(text(found)) }
            try StandardOutput.check()
        }
    }

    private static func text(_ found: OverlayDifference) -> String {
        let sign = switch found.change { case .added: "+" case .removed: "-" case .renamed: ">" case .content: "~" case .attributes: "m" }
        func name(_ path: String) -> String { ShellWord.quoted(Printable.text(found.isDirectory ? path + "/" : path)) }
        let path = name(found.path)
        let from = found.from.map { "\(name($0)) -> " } ?? ""
        let size = found.change == .added || found.change == .content ? found.size.map { "  \(HumanFormat.bytes($0))" } ?? "" : ""
        let part = found.change == .content ? found.changedBytes.map { " (\(HumanFormat.bytes($0)) new)" } ?? "" : ""
        return "\(sign) \(from)\(path)\(size)\(part)"
    }
}
