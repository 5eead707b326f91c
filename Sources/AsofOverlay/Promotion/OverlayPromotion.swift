/// That an overlay becomes a plain directory: the file `promotion` in its folder.
package struct OverlayPromotion: Codable, Sendable {
    package var target: String
    /// Nothing changes in the overlay any more: its last state is what goes to the target.
    package var isFrozen = false
    /// The target is there.
    package var isDone = false

    package init(target: String) { self.target = target }

    static let name = "promotion"
}
