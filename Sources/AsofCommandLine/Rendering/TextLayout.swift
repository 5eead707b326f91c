/// Breaking plain text into lines. Widths count characters, which is right for the tree's own text.
enum TextLayout {
    /// `text` in lines of at most `width`; a word longer than that has a line to itself. Breaks at spaces outside backticks only,
    /// so that a command stays whole where it fits.
    static func wrap(_ text: String, width: Int, indent: String = "") -> [String] {
        fill(words(text, limit: width - indent.count), width: width, indent: indent)
    }

    /// Lines of `words`, none of which is broken.
    static func fill(_ words: [String], width: Int, indent: String = "") -> [String] {
        var lines: [String] = []
        var line = ""
        for word in words {
            if !line.isEmpty, line.count + 1 + word.count > width - indent.count {
                lines.append(indent + line)
                line = ""
            }
            line += (line.isEmpty ? "" : " ") + word
        }
        if !line.isEmpty { lines.append(indent + line) }
        return lines
    }

    /// Pieces that a line is made of: words, and code of up to half a line in one piece.
    private static func words(_ text: String, limit: Int) -> [String] {
        var pieces: [String] = []
        var isInCode = false
        for word in text.split(whereSeparator: \.isWhitespace).map(String.init) {
            if isInCode, let last = pieces.last, last.count + 1 + word.count <= limit / 2 {
                pieces[pieces.count - 1] = last + " " + word
            } else {
                pieces.append(word)
            }
            if !word.filter({ $0 == "`" }).count.isMultiple(of: 2) { isInCode.toggle() }
        }
        return pieces
    }

    /// Terms in a column of their own, meanings beside them; a term too long for the column has a line to itself.
    static func definitions(_ terms: [(term: String, meaning: String)], width: Int, column limit: Int = 26) -> [String] {
        let column = min(limit, (terms.map(\.term.count).max() ?? 0) + 4)
        return terms.flatMap { term, meaning in
            let indent = String(repeating: " ", count: column)
            var lines = wrap(meaning, width: width, indent: indent)
            let head = "  " + term
            if head.count + 2 <= column, let first = lines.first {
                lines[0] = head + first.dropFirst(head.count)
            } else {
                lines.insert(contentsOf: head.count <= width ? [head] : wrap(term, width: width, indent: "  "), at: 0)
            }
            return lines
        }
    }
}

/// Text with code in backticks, taken apart.
struct MarkedText {
    var pieces: [(text: String, isCode: Bool)]

    init(_ text: String) {
        pieces = text.split(separator: "`", omittingEmptySubsequences: false).enumerated()
            .map { (String($0.element), !$0.offset.isMultiple(of: 2)) }.filter { !$0.text.isEmpty }
    }

    /// Without the backticks.
    var plain: String { pieces.map(\.text).joined() }
}
