internal import AsofSystem

/// A bounded cache that many threads share: one of them makes a missing value, the others wait for it.
///
/// Two generations stand in for an exact order of use: when the young one holds half the bound it becomes the old one, whose values
/// are dropped unless asked for again. Locking: one monitor over both; values are made outside it.
package final class TwoGenerationCache<Key: Hashable & Sendable, Value: Sendable>: Sendable {
    private struct State {
        var young: [Key: (value: Value, cost: Int)] = [:]
        var old: [Key: (value: Value, cost: Int)] = [:]
        var youngCost = 0
        var inFlight: Set<Key> = []
    }

    private let limit: Int
    private let state: Monitor<State>

    /// `limit`: the sum of all values' costs, in bytes.
    package init(limit: Int) {
        self.limit = max(2, limit)
        state = Monitor(State())
    }

    /// The value under `key`, made by `make` where it is not there.
    package func value<E: Error>(for key: Key, make: () throws(E) -> (value: Value, cost: Int)) throws(E) -> Value {
        while true {
            let found: Value?? = state.withLock { state in
                if let hit = state.young[key] { return .some(hit.value) }
                if let hit = state.old.removeValue(forKey: key) {
                    insert(key, hit.value, hit.cost, into: &state)
                    return .some(hit.value)
                }
                return state.inFlight.insert(key).inserted ? .some(nil) : .none
            }
            switch found {
            case .some(.some(let value)): return value
            case .some(nil): return try fill(key, make)
            case nil: _ = state.wait { !$0.inFlight.contains(key) }
            }
        }
    }

    /// True when the value is there or on its way.
    package func holds(_ key: Key) -> Bool {
        state.withLock { $0.young[key] != nil || $0.old[key] != nil || $0.inFlight.contains(key) }
    }

    package func removeAll() {
        state.withLock { state in
            state.young = [:]
            state.old = [:]
            state.youngCost = 0
        }
    }

    private func fill<E: Error>(_ key: Key, _ make: () throws(E) -> (value: Value, cost: Int)) throws(E) -> Value {
        defer {
            state.withLock { _ = $0.inFlight.remove(key) }
            state.broadcast()
        }
        let made = try make()
        state.withLock { insert(key, made.value, made.cost, into: &$0) }
        return made.value
    }

    private func insert(_ key: Key, _ value: Value, _ cost: Int, into state: inout State) {
        state.young[key] = (value, cost)
        state.youngCost += cost
        if state.youngCost > limit / 2 {
            state.old = state.young
            state.young = [:]
            state.youngCost = 0
        }
    }
}
