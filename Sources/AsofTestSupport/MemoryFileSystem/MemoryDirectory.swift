internal import AsofCore
internal import AsofFileSystem

/// The names of one directory. A name keeps its cookie for life, so that listing goes on behind it whatever was removed meanwhile.
struct MemoryDirectory {
    private var ids: [Name: (id: NodeID, cookie: UInt64)] = [:]
    /// By ascending cookie; nil: removed.
    private var order: [(cookie: UInt64, name: Name?)] = []
    private var lastCookie: UInt64 = 2

    var isEmpty: Bool { ids.isEmpty }

    func id(of name: Name) -> NodeID? { ids[name]?.id }

    mutating func add(_ name: Name, _ id: NodeID) {
        lastCookie += 1
        ids[name] = (id, lastCookie)
        order.append((lastCookie, name))
    }

    mutating func remove(_ name: Name) {
        guard let entry = ids.removeValue(forKey: name) else { return }
        let index = firstIndex(after: entry.cookie - 1)
        if index < order.count { order[index].name = nil }
        if order.count > 32, order.count > ids.count * 2 { order.removeAll { $0.name == nil } }
    }

    /// At most 1,024 names behind the cookie.
    func entries(after cookie: UInt64) -> [(Name, NodeID, UInt64)] {
        var result: [(Name, NodeID, UInt64)] = []
        for entry in order[firstIndex(after: cookie)...] {
            guard let name = entry.name, let id = ids[name]?.id else { continue }
            result.append((name, id, entry.cookie))
            if result.count == 1024 { break }
        }
        return result
    }

    private func firstIndex(after cookie: UInt64) -> Int {
        var low = 0
        var high = order.count
        while low < high {
            let middle = (low + high) / 2
            if order[middle].cookie <= cookie { low = middle + 1 } else { high = middle }
        }
        return low
    }
}
