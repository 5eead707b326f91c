/// Text from outside, made safe to print on a terminal: no control or invisible formatting characters, no endless lines.
package enum Printable {
    /// `text` with everything that could move the cursor, recolour or reorder shown as `\u{…}`; cut after `limit` scalars.
    package static func text(_ text: String, limit: Int = .max) -> String {
        var safe = ""
        var count = 0
        for scalar in text.unicodeScalars {
            guard count < limit else { return safe + "…" }
            count += 1
            switch scalar.properties.generalCategory {
            case .control, .format, .lineSeparator, .paragraphSeparator, .surrogate, .unassigned, .privateUse:
                safe += "\\u{" + String(scalar.value, radix: 16) + "}"
            default:
                safe.unicodeScalars.append(scalar)
            }
        }
        return safe
    }

    /// As `text`, in single quotes and cut to what fits in a sentence.
    package static func quoted(_ text: String) -> String { "'" + self.text(text, limit: 60) + "'" }
}
