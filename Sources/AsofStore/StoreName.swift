package import AsofCore

/// The rules for names of objects: `/` between components of printable ASCII without spaces; no component is empty, longer than
/// 255 bytes, or starts with a dot (which leaves dot names to the stores' own files); 1,024 bytes in all.
package enum StoreName {
    package static let longest = 1024

    /// Throws `.failure` for what is not a name.
    package static func check(_ name: String) throws(AsofError) {
        guard !name.isEmpty, isAllowed(name, lastMayBePartial: false) else { throw refusal(of: name, "name") }
    }

    /// Throws `.failure` for what no name can start with.
    package static func checkPrefix(_ prefix: String) throws(AsofError) {
        guard isAllowed(prefix, lastMayBePartial: true) else { throw refusal(of: prefix, "prefix") }
    }

    /// True for a name that stores may keep knowledge of: its object never changes.
    package static func isImmutable(_ name: String) -> Bool { !name.hasSuffix(".json") }

    private static func isAllowed(_ name: String, lastMayBePartial: Bool) -> Bool {
        guard name.utf8.count <= longest, name.utf8.allSatisfy({ (0x21...0x7E).contains($0) }) else { return false }
        let components = name.utf8.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
        for (index, component) in components.enumerated() {
            if component.isEmpty && lastMayBePartial && index == components.count - 1 { continue }
            guard (1...255).contains(component.count), component.first != UInt8(ascii: ".") else { return false }
        }
        return true
    }

    private static func refusal(of name: String, _ kind: String) -> AsofError {
        let shown = name.prefix(80).debugDescription
        return AsofError(.failure, "\(shown) cannot be the \(kind) of an object")
    }
}
