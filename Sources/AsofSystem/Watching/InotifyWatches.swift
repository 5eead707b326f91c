/// Which watch descriptor of an inotify queue stands for which token.
///
/// The kernel gives a number of a removed watch to another directory in time (after two billion of them), while events of the
/// old one may still wait in the queue. Each removal puts one IN_IGNORED into it, so whatever comes before that is the old
/// directory's.
package struct InotifyWatches {
    private struct Slot {
        /// Nil: removed, and its IN_IGNORED not seen yet.
        var token: WatchToken?
        /// How many IN_IGNORED must come before an event is meant for `token`.
        var pending: UInt32 = 0
    }

    private var slots: [Int32: Slot] = [:]
    private var descriptors: [WatchToken: Int32] = [:]

    package init() {}

    package var count: Int { descriptors.count }
    var byteCount: Int { (slots.capacity * 16 + descriptors.capacity * 8) * 4 / 3 }

    /// Whom an event of `watch` concerns; nil: nobody any more.
    package func token(of watch: Int32) -> WatchToken? {
        guard let slot = slots[watch], slot.pending == 0 else { return nil }
        return slot.token
    }

    /// The kernel gave `watch` for the directory of `token`. Returns a watch that `token` had before and that is to be removed.
    package mutating func set(_ watch: Int32, _ token: WatchToken) -> Int32? {
        let before = descriptors[token]
        if let other = slots[watch]?.token, other != token { descriptors[other] = nil }
        slots[watch, default: Slot()].token = token
        descriptors[token] = watch
        guard let before, before != watch else { return nil }
        expectIgnored(before)
        return before
    }

    /// Forgets a token; returns its watch, which is to be removed from the queue.
    package mutating func remove(_ token: WatchToken) -> Int32? {
        guard let watch = descriptors.removeValue(forKey: token) else { return nil }
        expectIgnored(watch)
        return watch
    }

    private mutating func expectIgnored(_ watch: Int32) {
        slots[watch, default: Slot()].token = nil
        slots[watch, default: Slot()].pending += 1
    }

    /// IN_IGNORED came. Returns the token whose directory the kernel let go by itself.
    package mutating func ignored(_ watch: Int32) -> WatchToken? {
        guard var slot = slots[watch] else { return nil }
        if slot.pending == 0 {
            slots[watch] = nil
            if let token = slot.token { descriptors[token] = nil }
            return slot.token
        }
        slot.pending -= 1
        slots[watch] = slot.pending == 0 && slot.token == nil ? nil : slot
        return nil
    }

    /// Events were lost, IN_IGNORED perhaps among them: waiting for those would silence a living directory. Should one come all
    /// the same, a directory is called gone that is not; after an overflow everything is looked at anyway.
    package mutating func expectNothing() {
        slots = slots.filter { $0.value.token != nil }.mapValues { Slot(token: $0.token) }
    }
}
