internal import AsofCommandLine
internal import AsofCore
internal import AsofSystem
internal import AsofWeaviate

/// Whether a directory looks like a Weaviate's: how asof reads a file that changes depends on its kind.
enum LayoutCheck {
    /// Files looked at, of a large directory.
    private static let sample = 20_000

    static func judge(known: Int, unknown: [String]) -> CheckResult {
        let subject = "files"
        let count = known + unknown.count
        guard count > 0 else { return .ok(subject, "none yet") }
        guard !unknown.isEmpty else { return .ok(subject, "\(HumanFormat.count(UInt64(count))), all of kinds that Weaviate writes") }
        let examples = unknown.prefix(3).joined(separator: ", ")
        guard known > 0 else {
            return .weak(
                subject, "no file of a kind that Weaviate writes (\(examples)): each is read whole when it changes",
                hint: "is this the directory of PERSISTENCE_DATA_PATH? Any directory can be followed, but large files that change cost much")
        }
        return .ok(subject, "\(HumanFormat.count(UInt64(known))) of kinds that Weaviate writes; \(unknown.count) others (\(examples)) are read whole when they change")
    }

    static func run(_ directory: String) -> CheckResult {
        var stack: [[Name]] = [[]]
        var (known, unknown): (Int, [String]) = (0, [])
        while let place = stack.popLast() {
            guard let reader = try? DirectoryReader(path(directory, place)) else { continue }
            while let entry = try? reader.next() {
                guard known + unknown.count < sample else { return judge(known: known, unknown: unknown) }
                switch entry.kind {
                // Neither is captured.
                case .directory where place.isEmpty && (entry.name.description == "lost+found" || HiddenName.isLeftOut(entry.name)): continue
                case .directory: stack.append(place + [entry.name])
                case .regular where DataFileKind.of(path: place + [entry.name]) == .unknown: unknown.append(path("", place + [entry.name]))
                case .regular: known += 1
                default: continue
                }
            }
        }
        return judge(known: known, unknown: unknown)
    }

    private static func path(_ root: String, _ place: [Name]) -> String { place.reduce(root) { $0.isEmpty ? $1.description : "\($0)/\($1)" } }
}
