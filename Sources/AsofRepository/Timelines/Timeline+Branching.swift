package import AsofCore

extension Timeline {
    /// Makes this timeline: it goes on from a cut of `parent`, and has nothing of its own yet. What is named as its parent is whoever the
    /// cut's transaction belongs to. `.failure`: there is a timeline of this name.
    package func branch(from parent: Timeline, at cut: Cut, head: Head) throws(AsofError) -> Head {
        let made = try Self.child(of: parent, at: cut, head: head)
        guard try loadHead() == nil, try create(made) else {
            throw AsofError(.failure, "there is a timeline \(name) already", hint: "`asof timeline list` shows all; choose another name")
        }
        return made
    }

    /// Makes a child with a name of its own: `main-2`, `main-3` …, the first that is free.
    package func makeChild(at cut: Cut, head: Head) throws(AsofError) -> (timeline: Timeline, head: Head) {
        let made = try Self.child(of: self, at: cut, head: head)
        let stem = try stem(head)
        for number in 2...Self.numberMax {
            let suffix = "-\(number)"
            let timeline = try repository.timeline("\(stem.prefix(ObjectName.timelineLengthMax - suffix.utf8.count))\(suffix)")
            if try timeline.isFree(), try timeline.create(made) { return (timeline, made) }
        }
        throw AsofError(.failure, "all names from \(stem)-2 to \(stem)-\(Self.numberMax) are taken", hint: "name the new timeline: --timeline NAME")
    }

    private static let numberMax = 9999

    /// A name of which only something damaged remains is no free one either.
    private func isFree() throws(AsofError) -> Bool {
        do throws(AsofError) { return try loadHead() == nil } catch {
            guard error.code == .damaged else { throw error }
            return false
        }
    }

    private static func child(of parent: Timeline, at cut: Cut, head: Head) throws(AsofError) -> Head {
        let owner = try parent.owner(of: cut.lsn, head: head)
        guard owner.head.last >= cut.lsn else {
            throw AsofError(.damaged, "timeline \(owner.timeline.name) ends at lsn:\(owner.head.last): nothing can go on from its lsn:\(cut.lsn)")
        }
        var child = Head()
        child.parent = Branch(
            timeline: owner.timeline.name, point: CutPoint(lsn: cut.lsn, time: cut.time), highestInode: owner.head.highestInode)
        child.first = head.first
        child.capturedUntil = cut.time
        return child
    }

    /// What the names of children begin with: of `main-2`, a child of `main`, that is `main` again.
    private func stem(_ head: Head) throws(AsofError) -> String {
        guard let dash = name.lastIndex(of: "-"), name[dash...].dropFirst().allSatisfy(\.isNumber) else { return name }
        var lineage = Lineage(self, head: head)
        while let generation = try lineage.next() {
            if generation.timeline.name == name[..<dash] { return generation.timeline.name }
        }
        return name
    }
}
