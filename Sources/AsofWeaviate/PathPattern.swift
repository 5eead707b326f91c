import AsofCore

/// The last components of a path: `*.queue.d/chunk-#.bin`. In a component `*` is any run of bytes, also none, and `#` one or
/// more digits. `/` in front ties the pattern to the root; `**` as its last component is everything below.
struct PathPattern: Sendable {
    private let components: [[UInt8]]
    private let isAnchored: Bool
    private let isOpen: Bool

    /// The byte that every matching path ends with, if there is one.
    let lastByte: UInt8?

    init(_ text: String) {
        isAnchored = text.hasPrefix("/")
        isOpen = text.hasSuffix("/**")
        components = text.split(separator: "/").filter { $0 != "**" }.map { Array($0.utf8) }
        lastByte = isOpen ? nil : components.last?.last.flatMap { $0 == Self.anything || $0 == Self.digits ? nil : $0 }
    }

    func matches(_ path: [Name]) -> Bool {
        if isOpen {
            // Only whole trees below the root are open.
            return path.count > components.count && zip(components, path).allSatisfy { Self.matches($0[...], $1.bytes[...]) }
        }
        guard isAnchored ? path.count == components.count : path.count >= components.count else { return false }
        return zip(components.reversed(), path.reversed()).allSatisfy { Self.matches($0[...], $1.bytes[...]) }
    }

    private static let anything = UInt8(ascii: "*")
    private static let digits = UInt8(ascii: "#")

    private static func matches(_ pattern: ArraySlice<UInt8>, _ bytes: ArraySlice<UInt8>) -> Bool {
        var pattern = pattern
        var bytes = bytes
        while let next = pattern.popFirst() {
            switch next {
            case anything:
                guard !pattern.isEmpty else { return true }
                return (bytes.startIndex...bytes.endIndex).contains { matches(pattern, bytes[$0...]) }
            case digits:
                // The longest run: no pattern goes on with a digit.
                let rest = bytes.drop { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
                guard rest.startIndex > bytes.startIndex else { return false }
                bytes = rest
            default:
                guard bytes.popFirst() == next else { return false }
            }
        }
        return bytes.isEmpty
    }
}
