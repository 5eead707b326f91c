/// The variables that a program gets.
package struct EnvironmentVariables: Sendable {
    private var values: [String: String] = [:]

    /// From `NAME=value`; the first of a name counts, as for getenv.
    package init(_ list: [String]) {
        for variable in list {
            guard let equals = variable.firstIndex(of: "=") else { continue }
            let name = String(variable[..<equals])
            if values[name] == nil { values[name] = String(variable[variable.index(after: equals)...]) }
        }
    }

    package subscript(_ name: String) -> String? {
        get { values[name] }
        set { values[name] = newValue }
    }

    package var names: [String] { values.keys.sorted() }
    package var list: [String] { names.map { "\($0)=\(values[$0] ?? "")" } }
}
