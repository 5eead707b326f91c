package import AsofCore

/// A command line that was understood: which command, and what was said to it. Every value has passed its declaration's check.
package struct Invocation: Sendable {
    package enum Purpose: Sendable, Equatable {
        case run
        /// Print the help of the command at `path`; nothing else was checked.
        case help
        /// Print the manual page of the whole program.
        case manual
    }

    /// Where a value comes from.
    package enum Origin: Hashable, Sendable {
        case commandLine
        case environment(String)
        case fallback
    }

    package var purpose: Purpose
    /// The command's name after those of its groups, aliases resolved: `["backup", "create"]`. Empty: the program itself.
    package var path: [String]
    /// Everything after `--`, for a command that declares such an argument; else empty.
    package internal(set) var rest: [String] = []

    var flags: [String: [Bool]] = [:]
    var given: [String: [String]] = [:]
    var fromEnvironment: [String: String] = [:]
    var placed: [String: [String]] = [:]
    /// Options of the command and of its groups, to answer for defaults.
    let options: [Option]
    let positionals: [Positional]

    /// Whether the flag was given, or its `--no-` form was not the last word on it.
    package func flag(_ name: String) -> Bool { toggle(name) ?? false }

    /// Nil when neither `--name` nor `--no-name` was given.
    package func toggle(_ name: String) -> Bool? {
        assert(option(name)?.takesValue == false, "--\(name) is no flag of \(path)")
        return flags[name]?.last
    }

    /// How often the flag was given: `-vv` is 2.
    package func level(_ name: String) -> Int { flags[name]?.count ?? 0 }

    /// The option's value, else its environment variable's, else its default.
    package func value(_ name: String) -> String? { values(name).last }

    /// All values of a repeatable option, in the order given.
    package func values(_ name: String) -> [String] {
        assert(option(name)?.takesValue == true, "--\(name) is no option with a value of \(path)")
        if let values = given[name] { return values }
        if let value = fromEnvironment[name] { return [value] }
        if case .value(let value) = option(name)?.fallback { return [value] }
        return []
    }

    /// Where `value(name)` comes from; nil when there is none.
    package func origin(of name: String) -> Origin? {
        if given[name] != nil || flags[name] != nil { return .commandLine }
        if fromEnvironment[name] != nil, let variable = option(name)?.environment { return .environment(variable) }
        if case .value = option(name)?.fallback { return .fallback }
        return nil
    }

    /// The option's value, or a usage error that says how to give it.
    package func required(_ name: String) throws(AsofError) -> String {
        if let value = value(name) { return value }
        let placeholder = option(name)?.placeholder ?? "VALUE"
        let variable = option(name)?.environment.map { " or set \($0)" } ?? ""
        throw AsofError(
            .usage, "\(path.joined(separator: " ")) needs --\(name)", hint: "give --\(name) \(placeholder)\(variable)")
    }

    /// The positional argument called `name`; nil when it is optional and absent.
    package func positional(_ name: String) -> String? { positionals(name).first }

    /// All words of a variadic argument.
    package func positionals(_ name: String) -> [String] {
        assert(positionals.contains { $0.name == name }, "\(name) is no argument of \(path)")
        return placed[name] ?? []
    }

    /// A positional argument that the declaration requires. Throws only if the declaration does not.
    package func argument(_ name: String) throws(AsofError) -> String {
        if let word = positional(name) { return word }
        throw AsofError(.usage, "\(path.joined(separator: " ")) needs \(name)")
    }

    func option(_ name: String) -> Option? { options.last { $0.name == name } }
}

extension Invocation {
    /// Nanoseconds.
    package func duration(_ name: String) throws(AsofError) -> Int64? {
        guard let text = value(name) else { return nil }
        return try Quantity.nanoseconds(text)
    }

    /// Bytes.
    package func size(_ name: String) throws(AsofError) -> UInt64? {
        guard let text = value(name) else { return nil }
        return try Quantity.bytes(text)
    }

    package func count(_ name: String) -> Int? { value(name).flatMap(Quantity.count) }

    package func when(_ name: String) throws(AsofError) -> When? {
        guard let text = value(name) else { return nil }
        return try When.parse(text)
    }

    package func owner(_ name: String) throws(AsofError) -> Owner? {
        guard let text = value(name) else { return nil }
        return try Owner.parse(text)
    }
}
